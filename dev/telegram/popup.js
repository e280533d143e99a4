// Gives the outcome of a login to the page that opened this window, as Telegram's popup does, and closes it.

const outcome = document.getElementById("outcome");

if (opener) {
  opener.postMessage(JSON.parse(outcome.dataset.message), outcome.dataset.origin);
  close();
} else {
  outcome.textContent = "No page has opened this window, so there is nobody to tell.";
}
