// A dialog that blocks the rest of the page. In browsers without <dialog>, it replaces the page.

/** Functions that open and close `dialog`; the focus goes to its [autofocus], and afterwards back. */
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
