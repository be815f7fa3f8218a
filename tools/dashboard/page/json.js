// JSON that somebody types: what is wrong with it, and where. JSON.parse says that only now and then.

const TOKEN = /[ \t\n\r]*(?:([{}[\],:])|("(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)(?![\w.])|$)/y;

class Wrong extends Error {}

class Reader {
  constructor(text) {
    this.text = text;
    this.at = 0;
    this.next();
  }

  /** Reads on: `token` is what stands there, `kind` is "mark", "text", "other" or "end", `from` where. */
  next() {
    TOKEN.lastIndex = this.at;
    const found = TOKEN.exec(this.text);
    if (!found) this.wrong("this is no value", this.at + /^[ \t\n\r]*/.exec(this.text.slice(this.at))[0].length);
    const [whole, mark, text, other] = found;
    this.token = mark ?? text ?? other ?? "";
    this.kind = mark ? "mark" : text ? "text" : other ? "other" : "end";
    this.from = this.at + whole.length - this.token.length;
    this.at += whole.length;
  }

  wrong(what, at = this.from) {
    const before = this.text.slice(0, at).split("\n");
    throw new Wrong(`This is no JSON: line ${before.length}, column ${before.at(-1).length + 1}: ${what}.`);
  }

  value() {
    if (this.token === "{") this.members("}", () => this.member());
    else if (this.token === "[") this.members("]", () => this.value());
    else if (this.kind === "end") this.wrong("a value is missing");
    else if (this.kind === "mark") this.wrong(`a value is missing before ${this.token}`);
    else this.next();
  }

  member() {
    if (this.kind !== "text") this.wrong("a name in double quotes is missing");
    this.next();
    if (this.token !== ":") this.wrong("a colon is missing behind the name");
    this.next();
    this.value();
  }

  members(end, one) {
    this.next();
    if (this.token === end) return this.next();
    for (;;) {
      one();
      if (this.token === end) return this.next();
      if (this.token !== ",") this.wrong(this.kind === "end" ? `${end} is missing` : `a comma or ${end} is missing`);
      this.next();
    }
  }
}

/** Throws an Error whose message tells what is wrong, and where. */
export function parse(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    const reader = new Reader(text);
    reader.value();
    if (reader.kind !== "end") reader.wrong("there is more behind its end");
    throw error; // which this reader does not find
  }
}

/** The same where it has to be an object. */
export function object(text) {
  const made = parse(text);
  if (made === null || typeof made !== "object" || Array.isArray(made)) {
    throw new Error("This has to be an object: it begins with { and ends with }.");
  }
  return made;
}

/** As it is shown, and typed. */
export function pretty(value) {
  return JSON.stringify(value ?? {}, null, 2);
}

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

/** The leaves of an object: [path with dots, value]. */
export function leaves(value, path = "") {
  if (!isObject(value)) return [[path, value]];
  return Object.entries(value).flatMap(([key, inner]) => leaves(inner, path ? `${path}.${key}` : key));
}

/** What stands at such a path. */
export function leaf(value, path) {
  return path.split(".").reduce((inner, key) => (isObject(inner) ? inner[key] : undefined), value);
}
