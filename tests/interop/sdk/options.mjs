// Every option that the SDK has.

import { codex, given, stream, tell } from "./told.mjs";

tell(await stream(codex.startThread(given.thread), "hello", given.turn));
