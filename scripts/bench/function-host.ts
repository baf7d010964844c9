// Runs under Deno, for the benchmark `functions`: loads the one module that it is given and serves it, as a new isolate of the
// hosted runtime does. Says on stdout, as one JSON line, where it listens and how long the import took.

const before = performance.now();
const { default: edgeFunction } = await import(`file://${Deno.args[0]}`);
const importMs = performance.now() - before;
Deno.serve(
  { hostname: "127.0.0.1", port: 0, onListen: ({ port }) => console.log(JSON.stringify({ port, importMs })) },
  (request) => edgeFunction.fetch(request),
);
