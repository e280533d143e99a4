// What a site's own scripts do at login, with what Telegram's scripts give them: the popup and the widget.

const outcome = document.getElementById("outcome");
const $ = (id) => document.getElementById(id);

// A nonce must be there before the click: a browser blocks a popup that opens after waiting.
const NONCE_SECONDS = 300;

let started;

on("popup", openPopup);
on("widget-redirect", async () => {
  const { widget_redirect_url: url } = await start();
  if (!url) throw new Error("This deployment has no bot token, so the widget is off.");
  const fields = Object.entries(await widget()).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  location.assign(url + (url.includes("?") ? "&" : "?") + fields.join("&"));
});
on("widget-callback", async () => logIn(await widget()));
on("direct", async () => {
  const { widget_auth_url: url } = await start();
  if (!url) throw new Error("This deployment has no bot token, so the widget is off.");
  location.assign(url);
});
// Back from Telegram's page may show this one as it was left.
addEventListener("pageshow", (event) => event.persisted && location.reload());

await prepare();
setInterval(prepare, NONCE_SECONDS * 1000);

/** Have a nonce ready; the buttons work from then on. */
async function prepare() {
  await attempt(async () => {
    started = await start();
    for (const button of document.querySelectorAll("button")) button.disabled = false;
    if (started.oidc_url) return;
    $("popup").disabled = true;
    $("redirect").removeAttribute("href");
    $("oidc-off").hidden = false;
  });
}

/** As telegram-login.js: the page behind the popup answers it by a message. */
function openPopup() {
  const auth = new URL(started.oidc_url);
  const query = {
    response_type: "post_message",
    client_id: started.client_id,
    redirect_uri: location.origin + location.pathname,
    scope: "openid profile",
    nonce: started.nonce,
  };
  auth.search = new URLSearchParams(query);
  const popup = open(auth, "telegram_oidc_login", "width=550,height=650");
  if (!popup) throw new Error("The browser blocked the popup.");
  return new Promise((resolve, reject) => {
    // The popup may be seen closed before its last message arrives, so it is looked at twice.
    let seenClosed = false;
    const closed = setInterval(() => {
      if (seenClosed) finish({ error: "popup_closed" });
      seenClosed = popup.closed;
    }, 500);
    const listen = (event) => {
      if (event.origin !== auth.origin || event.source !== popup || event.data?.event !== "auth_result") return;
      finish(event.data);
    };
    addEventListener("message", listen);

    function finish({ result, error }) {
      clearInterval(closed);
      removeEventListener("message", listen);
      if (result) resolve(logIn({ id_token: result }));
      else reject(new Error(`Telegram's popup says: ${error}`));
    }
  }).finally(prepare);
}

function start() {
  return call("POST", "/telegram/start", {});
}

/** The object that the widget gives its callback. */
function widget() {
  return call("GET", `/_telegram/widget?user=${$("user").value}`);
}

async function logIn(proof) {
  const { user, session } = await call("POST", "/telegram/login", proof);
  say(`Logged in as ${[user.first_name, user.last_name].filter(Boolean).join(" ") || user.id} (${session.method}).`);
}

async function call(method, path, body) {
  const headers = body ? { "Content-Type": "application/json" } : {};
  const answer = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  const said = await answer.json();
  if (!answer.ok) throw new Error(`${answer.status} ${said.code}: ${said.title}`);
  return said;
}

function on(id, action) {
  $(id).addEventListener("click", () => attempt(action));
}

async function attempt(action) {
  try {
    await action();
  } catch (error) {
    say(error.message);
  }
}

function say(text) {
  outcome.textContent = text;
}
