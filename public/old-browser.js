// If a page cannot even start, this says so in place of "Loading…". The browsers meant here may be older than
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

  // No modules, or none that could call the API: this replaces the page, so that they cannot say anything.
  if (!("noModule" in document.createElement("script")) || !window.AbortController) {
    document.addEventListener("readystatechange", function () {
      say(TOO_OLD);
      var main = document.querySelector("main");
      var said = document.getElementById("loading");
      main.textContent = "";
      main.appendChild(said);
    });
  }
  // A file that does not load is reported to its element; one that cannot be parsed, or that throws, to the window.
  addEventListener("error", function (event) {
    if (event.target === window) failed(event.error, event.filename);
    else if (event.target.type === "module") say(isRecent() ? INCOMPLETE : TOO_OLD);
  }, true);
  // Some browsers report a module that throws as an unhandled promise.
  addEventListener("unhandledrejection", function (event) {
    failed(event.reason);
  });

  /** Browser extensions can throw here, too. */
  function failed(error, file) {
    // What browsers say about a module that `import()` could not load.
    var lost = error instanceof TypeError && /dynamically imported module|importing a module/i.test(error.message);
    var where = file || (error && error.stack) || "";
    if (!lost && where.indexOf(location.origin + "/") < 0) return;
    say(lost || (error && error.code === "network") ? INCOMPLETE : TOO_OLD);
  }

  /** The first browsers with modules also told the element about a file that cannot be parsed. */
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
