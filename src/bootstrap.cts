// What must be settled before any ES module runs. Loaded by vhostmd.cts.
const { setFlagsFromString } = require('node:v8') as typeof import('node:v8');

// libvirt calls run on libuv's worker threads: one waits for events, up to 8 ask domains, others may hang with a frozen
// domain. The pool takes its size from the environment at its first use.
process.env['UV_THREADPOOL_SIZE'] ??= '16';

// What a tick leaves behind is small and soon garbage: a young generation that grows would only add to the memory.
setFlagsFromString('--semi-space-growth-factor=1');
setFlagsFromString('--max-semi-space-size=1');

// RxJS in one file instead of two hundred, which takes 50 ms off the start. Every `import 'rxjs'` gets this one.
const entry = require.resolve('rxjs');
const bundle = entry.replace(/cjs[\\/]index\.js$/, 'bundles/rxjs.umd.min.js');
if (bundle !== entry) {
  require(bundle);
  const loaded = require.cache[bundle];
  if (loaded !== undefined) require.cache[entry] = loaded;
}
