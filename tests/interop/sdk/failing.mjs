// A turn fails, the next one does not; a thread that nobody knows is asked for.

import { codex, given, run, tell } from "./told.mjs";

const thread = codex.startThread(given.thread);
const failed = await run(thread, "fail");
const good = await run(thread, "once more");
const unknown = await run(codex.resumeThread(given.nobody, given.thread), "hello?");
tell({ turns: [failed, good, unknown] });
