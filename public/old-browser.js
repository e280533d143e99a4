// Where a page cannot even begin, this says so in place of "Loading…". The browsers meant here may be older than
// modules, so it is plain ES5; it holds its own texts, in both languages, since the others are in modules.

(function () {
  "use strict";

  var TOO_OLD = {
    en: "This browser is too old for this page. Please update it, or open the page in another one.",
    ru: "Этот браузер слишком старый для этой страницы. Обновите его или откройте страницу в другом."
  };
  var INCOMPLETE = {
    en: "This page did not load completely. Check your connection and reload the page.",
    ru: "Страница загрузилась не полностью. Проверьте подключение и обновите страницу."
  };

  // No modules, or none that could ask the API anything: what they would say about that is left no place to stand.
  if (!("noModule" in document.createElement("script")) || !window.AbortController) {
    document.addEventListener("readystatechange", function () {
      say(TOO_OLD);
      var main = document.querySelector("main");
      var said = document.getElementById("loading");
      main.textContent = "";
      main.appendChild(said);
    });
  }
  // Of a file that does not come, the element hears; of one that cannot be parsed, and of what it throws, the window.
  addEventListener("error", function (event) {
    if (event.target === window) failed(event.error, event.filename);
    else if (event.target.type === "module") say(isRecent() ? INCOMPLETE : TOO_OLD);
  }, true);
  // Where a browser takes a module that ends in an error for a promise that nobody waits for.
  addEventListener("unhandledrejection", function (event) {
    failed(event.reason);
  });

  /** A browser's extension can throw here, too. */
  function failed(error, file) {
    // Every browser's words for a module that `import()` could not get.
    var lost = error instanceof TypeError && /dynamically imported module|importing a module/i.test(error.message);
    var where = file || (error && error.stack) || "";
    if (!lost && where.indexOf(location.origin + "/") < 0) return;
    say(lost || (error && error.code === "network") ? INCOMPLETE : TOO_OLD);
  }

  /** The first browsers with modules told the element of a file that cannot be parsed, too. */
  function isRecent() {
    return "replaceChildren" in document.documentElement;
  }

  /** Once the page is there, it speaks for itself. */
  function say(words) {
    var loading = document.getElementById("loading");
    if (!loading && document.readyState === "loading") {
      document.addEventListener("readystatechange", function () {
        say(words);
      });
    }
    if (!loading || loading.hidden) return;
    loading.className = "";
    loading.removeAttribute("data-text");
    loading.textContent = "";
    for (var language in words) {
      var line = document.createElement("span");
      line.lang = language;
      line.className = "line";
      line.textContent = words[language];
      loading.appendChild(line);
    }
  }
})();
