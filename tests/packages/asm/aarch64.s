ignored: mov x2, xzr
ignored: mov w3, #4096
ignored: b sys_sendfile
inlined: stp x29, x30, [sp, #-16]!
inlined: mov x29, sp
inlined: bl sys_sendfile
inlined: cmp x0, #1
inlined: mov x0, x1
inlined: b.ne label
inlined: ldp x29, x30, [sp], #16
inlined: b refused
inlined: ldp x29, x30, [sp], #16
inlined: b sent
out_of_line: b sys_sendfile
sys_sendfile: mov w8, #71
sys_sendfile: svc #0
sys_sendfile: cmn x0, #1, lsl #12
sys_sendfile: mov x1, x0
sys_sendfile: cset w0, hi
sys_sendfile: ret
