// A thread is started, gone on with, and resumed by its id with a schema and a picture.

import { codex, given, run, tell } from "./told.mjs";

const thread = codex.startThread(given.thread);
const first = await run(thread, "good morning");
const second = await run(thread, "and now?");
const resumed = codex.resumeThread(thread.id, given.thread);
const input = [
  { type: "text", text: "look" },
  { type: "local_image", path: given.image },
  { type: "text", text: "what is it?" },
];
const third = await run(resumed, input, { outputSchema: given.schema });
tell({ turns: [first, second, third] });
