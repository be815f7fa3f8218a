// A command to a board's console, and its answer: `= ok …` or `= error …` among the lines of its log.

const BAUD_RATE = 115200;
const ANSWER = /^= (ok|error) (.*)$/;
const AGAIN_MS = 3000; // a board that starts hears nothing meanwhile
const TRIES = 10;

/** The answer's text. An Error where the port cannot be opened, none comes, or the board refuses. */
export async function ask(port, line) {
  await port.open({ baudRate: BAUD_RATE }).catch(() => {
    throw new Error("The port is in use.");
  });
  const reader = port.readable.getReader();
  const writer = port.writable.getWriter();
  const type = () => writer.write(new TextEncoder().encode(`${line}\r\n`)).catch(() => {});
  let tries = 1;
  const again = setInterval(() => (tries++ < TRIES ? type() : reader.cancel()), AGAIN_MS);
  type();
  try {
    const [, result, text] = await answer(reader);
    if (result === "ok") return text;
    throw new Error(`The board refuses: ${text}.`);
  } finally {
    clearInterval(again);
    await reader.cancel().catch(() => {});
    reader.releaseLock();
    writer.releaseLock();
    await port.close().catch(() => {});
  }
}

async function answer(reader) {
  const decoder = new TextDecoder();
  for (let text = ""; ; ) {
    const { value, done } = await reader.read();
    if (done) throw new Error("The board does not answer.");
    const lines = (text + decoder.decode(value, { stream: true })).split(/\r?\n/);
    text = lines.pop();
    const found = lines.map((one) => one.match(ANSWER)).find(Boolean);
    if (found) return found;
  }
}
