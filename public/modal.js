// A dialog beside which nothing else can be reached. Where the browser has no <dialog>, it stands in place of the page.

/** What opens and closes `dialog`; the focus goes to its [autofocus], and in the end back to where it was. */
export function modal(dialog) {
  if (dialog.showModal) return { open: () => dialog.showModal(), close: () => dialog.close() };
  let before;

  function toggle(shown) {
    dialog.toggleAttribute("open", shown);
    for (const part of document.querySelectorAll("#card, footer")) part.hidden = shown;
  }

  function open() {
    before = document.activeElement;
    toggle(true);
    dialog.querySelector("[autofocus]").focus();
  }

  function close() {
    if (!dialog.hasAttribute("open")) return;
    toggle(false);
    before.focus();
    dialog.dispatchEvent(new Event("close"));
  }

  addEventListener("keydown", (event) => event.key === "Escape" && close());
  return { open, close };
}
