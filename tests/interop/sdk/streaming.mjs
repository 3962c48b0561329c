// A turn with everything in it is told event by event.

import { codex, given, stream, tell } from "./told.mjs";

tell(await stream(codex.startThread(given.thread), "do it all"));
