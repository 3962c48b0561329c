// What every driver needs: the SDK, its options, and a place for what comes out.
//
// A driver gets one argument, a JSON object: `sdk` is the path of the SDK's module,
// `codex` the options of `new Codex`, `thread` those of `startThread`, and the rest is
// the driver's own. It prints one JSON object.

export const given = JSON.parse(process.argv[2]);

const { Codex } = await import(given.sdk);

export const codex = new Codex(given.codex);

// One turn to its end: what `run` gives, or what it throws.
export async function run(thread, input, options = {}) {
  try {
    return { ...(await thread.run(input, options)), id: thread.id };
  } catch (error) {
    return { thrown: error.message, name: error.name, id: thread.id };
  }
}

// One turn to its end: all its events, and what was thrown.
export async function stream(thread, input, options = {}, onEvent = () => {}) {
  const told = { events: [] };
  try {
    const { events } = await thread.runStreamed(input, options);
    for await (const event of events) {
      told.events.push(event);
      onEvent(event);
    }
  } catch (error) {
    told.thrown = error.message;
    told.name = error.name;
  }
  return told;
}

export function tell(told) {
  process.stdout.write(JSON.stringify(told));
}
