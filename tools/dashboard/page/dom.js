// Elements, found, made and changed. Whatever comes from a device or a cloud goes in as text, and never as HTML.

export const $ = (id) => document.getElementById(id);

/** A new element with a class and children, elements or texts. */
export function element(tag, className = "", ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

/** Sets a text where it is another one: what stays as it is costs the browser no layout, and no node. */
export function say(node, text) {
  const only = node.childNodes.length === 1 && node.firstChild.nodeType === Node.TEXT_NODE ? node.firstChild : null;
  if (!only) node.textContent = text;
  else if (only.data !== text) only.data = text;
}

/** The same for an attribute; null takes it away. */
export function mark(node, name, value) {
  if (value === null) node.removeAttribute(name);
  else if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

/** The same for the classes. */
export function dress(node, className) {
  if (node.className !== className) node.className = className;
}

/**
 * Makes the children of `parent` one for each of `items`, in their order. Those that stay are changed in place, moved
 * only where they stand wrong, and keep the focus.
 *
 * @param key gives an item's key. @param make makes the element of an item. @param fill is called with both.
 */
export function list(parent, items, key, make, fill) {
  const wanted = new Set(items.map((item) => String(key(item))));
  const focused = parent.contains(document.activeElement) ? document.activeElement : null;
  for (const child of [...parent.children]) if (!wanted.has(child.dataset.key)) child.remove();
  const before = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let at = parent.firstElementChild;
  for (const item of items) {
    const name = String(key(item));
    let child = before.get(name);
    if (!child) {
      child = make(item);
      child.dataset.key = name;
    }
    if (child === at) at = at.nextElementSibling;
    else parent.insertBefore(child, at);
    fill?.(child, item);
  }
  if (focused?.isConnected && document.activeElement !== focused) focused.focus({ preventScroll: true });
}

/** Runs `work` with a button that cannot be pressed twice; what it throws is told in `problem`. */
export async function busy(button, problem, work) {
  if (button.getAttribute("aria-disabled") === "true") return;
  button.setAttribute("aria-disabled", "true"); // unlike disabled it keeps the focus
  say(problem, "");
  try {
    await work();
  } catch (error) {
    say(problem, error.message);
  } finally {
    button.removeAttribute("aria-disabled");
  }
}

/** Asks before what cannot be taken back; true for yes. Escape is no. */
export function sure(question, yes) {
  const dialog = $("ask");
  say($("ask-text"), question);
  say($("ask-yes"), yes);
  dialog.returnValue = "no";
  dialog.showModal();
  $("ask-no").focus();
  return new Promise((answer) => {
    dialog.addEventListener("close", () => answer(dialog.returnValue === "yes"), { once: true });
  });
}
