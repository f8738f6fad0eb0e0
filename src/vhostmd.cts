#!/usr/bin/env node
// libvirt calls run on libuv's worker threads: one waits for events, up to 8 ask domains, others may hang with a frozen
// domain. The pool takes its size from the environment at its first use, which is before any ES module runs.
process.env['UV_THREADPOOL_SIZE'] ??= '16';
void import('./main.js');
