ignored: push {r11, lr}
ignored: mov r12, #239
ignored: mov r2, #0
ignored: mov r3, #4096
ignored: mov lr, r7
ignored: mov r7, r12
ignored: svc #0
ignored: mov r7, lr
ignored: pop {r11, pc}
inlined: push {r11, lr}
inlined: mov r12, #239
inlined: mov lr, r7
inlined: mov r7, r12
inlined: svc #0
inlined: mov r7, lr
inlined: cmn r0, #4096
inlined: bls label
inlined: pop {r11, lr}
inlined: b refused
inlined: pop {r11, lr}
inlined: b sent
out_of_line: push {r11, lr}
out_of_line: mov r12, #239
out_of_line: mov lr, r7
out_of_line: mov r7, r12
out_of_line: svc #0
out_of_line: mov r7, lr
out_of_line: mov r1, r0
out_of_line: mov r0, #0
out_of_line: cmn r1, #4096
out_of_line: movwhi r0, #1
out_of_line: pop {r11, pc}
