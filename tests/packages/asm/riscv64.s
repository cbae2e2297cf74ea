ignored: li a7, 71
ignored: lui a3, 1
ignored: li a2, 0
ignored: ecall
ignored: ret
inlined: li a7, 71
inlined: lui a4, 1048575
inlined: addi a4, a4, 1
inlined: ecall
inlined: bltu a0, a4, label
inlined: tail refused
inlined: tail sent
out_of_line: li a7, 71
out_of_line: ecall
out_of_line: mv a1, a0
out_of_line: lui a0, 1048575
out_of_line: sltu a0, a0, a1
out_of_line: ret
