ignored: mov eax, 40
ignored: mov r10d, 4096
ignored: xor edx, edx
ignored: syscall
ignored: ret
inlined: mov eax, 40
inlined: mov r10, rcx
inlined: syscall
inlined: mov rdi, rax
inlined: cmp rax, -4095
inlined: jb label
inlined: jmp qword ptr [rip + refused@GOTPCREL]
inlined: jmp qword ptr [rip + sent@GOTPCREL]
out_of_line: mov eax, 40
out_of_line: mov r10, rcx
out_of_line: syscall
out_of_line: mov rdx, rax
out_of_line: xor eax, eax
out_of_line: cmp rdx, -4095
out_of_line: setae al
out_of_line: ret
