// A turn is aborted in the middle, and the thread is gone on with at once.

import { codex, given, run, stream, tell } from "./told.mjs";

const thread = codex.startThread(given.thread);
const abort = new AbortController();
const aborted = await stream(thread, "wait", { signal: abort.signal }, (event) => {
  if (event.type === "item.completed") abort.abort();
});
tell({ aborted, next: await run(thread, "go on") });
