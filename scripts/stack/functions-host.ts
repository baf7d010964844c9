// Runs under Deno: loads every Edge Function of the project and serves them from one process, each by the first segment
// of the path. A function is a module whose default export is `{ fetch(request) }`, the form the hosted runtime takes.
//
// Arguments: the folder of the functions. Says on stdout, one JSON line, where it listens and what it serves. A function
// that does not load ends the process with its name and error on stderr, because half a set of functions hides a fault.

interface EdgeFunction {
  fetch(request: Request): Response | Promise<Response>;
}

const functionsDir = Deno.args[0];
if (!functionsDir) {
  console.error("usage: functions-host.ts <folder of the functions>");
  Deno.exit(2);
}

// The parent holds the other end of stdin: when it is gone, so is this process.
void (async () => {
  for await (const _ of Deno.stdin.readable) {
    // Nothing is ever said here.
  }
  Deno.exit(0);
})();

const functions = new Map<string, EdgeFunction>();
let failed = false;
await Promise.all(
  [...Deno.readDirSync(functionsDir)]
    .filter((entry) => entry.isDirectory && !entry.name.startsWith("_") && !entry.name.startsWith("."))
    .map(async ({ name }) => {
      try {
        const module = await import(new URL(`file://${functionsDir}/${name}/index.ts`).href);
        if (typeof module.default?.fetch !== "function") {
          throw new Error("its default export is not an object with a fetch function");
        }
        functions.set(name, module.default);
      } catch (error) {
        failed = true;
        console.error(`function ${name} does not load:`);
        console.error(error instanceof Error ? (error.stack ?? error.message) : error);
      }
    }),
);
if (failed) Deno.exit(1);

async function serve(request: Request): Promise<Response> {
  const name = new URL(request.url).pathname.split("/")[1] ?? "";
  const edgeFunction = functions.get(name);
  if (!edgeFunction) {
    return Response.json({ code: "NOT_FOUND", message: "Requested function was not found" }, { status: 404 });
  }
  try {
    return await edgeFunction.fetch(request);
  } catch (error) {
    console.error(`function ${name} threw:`, error);
    return Response.json(
      { code: "WORKER_ERROR", message: "Function exited due to an error" },
      { status: 500 },
    );
  }
}

Deno.serve(
  {
    hostname: "127.0.0.1",
    port: 0,
    onListen: ({ port }) => console.log(JSON.stringify({ port, functions: [...functions.keys()].sort() })),
  },
  serve,
);
