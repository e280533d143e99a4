// Links out of the frame in which Telegram shows this page: browsers block what such a frame opens itself.

/** Have Telegram open `link` outside, if this page is in a frame. */
export function outside(link) {
  if (window.parent === window) return link;
  link.addEventListener("click", (event) => {
    event.preventDefault();
    const { host, pathname, search, href } = new URL(link.href);
    const [eventType, eventData] =
      host === "t.me"
        ? ["web_app_open_tg_link", { path_full: pathname + search }]
        : ["web_app_open_link", { url: href }];
    // No other site may frame this page.
    window.parent.postMessage(JSON.stringify({ eventType, eventData }), "https://web.telegram.org");
  });
  return link;
}
