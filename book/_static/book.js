/* A box that scrolls sideways is a stop of the Tab key, so that arrow keys can scroll it. The
   theme sees to code and tables; this, to formulas and figures, once they have their size. */
(function () {
  "use strict";
  var boxes = "mjx-container[display='true'], .mg-frame, .mg-map, p, div.math, div.output";

  function stops() {
    var article = document.querySelector(".bd-article");
    (article ? article.querySelectorAll(boxes) : []).forEach(function (box) {
      var scrolls = box.scrollWidth > box.clientWidth + 1 && box.clientWidth > 0 &&
        /auto|scroll/.test(getComputedStyle(box).overflowX);
      if (scrolls) box.tabIndex = 0;
      else if (box.tabIndex === 0) box.removeAttribute("tabindex");
    });
  }

  var soon;
  window.addEventListener("resize", function () {
    clearTimeout(soon);
    soon = setTimeout(stops, 150);
  });
  window.addEventListener("load", function () {
    var formulas = window.mgtutorial && window.mgtutorial.formulas;
    Promise.resolve(formulas && formulas.done).then(stops);
  });
})();

/* What is folded opens for whoever follows a link into it, or prints. */
(function () {
  "use strict";
  function show() {
    var target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    var fold = target.closest("details:not([open])");
    for (; fold; fold = fold.parentElement.closest("details:not([open])")) fold.open = true;
    if (target.closest("details")) target.scrollIntoView();
  }
  window.addEventListener("hashchange", show);
  window.addEventListener("load", show);
  var opened = [];
  window.addEventListener("beforeprint", function () {
    opened = Array.from(document.querySelectorAll("details.mg-proof:not([open])"));
    opened.forEach(function (fold) { fold.open = true; });
  });
  window.addEventListener("afterprint", function () {
    opened.forEach(function (fold) { fold.open = false; });
  });
})();

/* What the search shows of a page: its text, not its table of contents, and formulas as words. */
(function () {
  "use strict";
  document.addEventListener("DOMContentLoaded", function () {
    if (typeof Search === "undefined" || !Search.htmlToText) return;
    var text = Search.htmlToText;
    Search.htmlToText = function (html, anchor) {
      var page = new DOMParser().parseFromString(html, "text/html");
      page.querySelectorAll("#jb-print-docs-body, #print-main-content, .mg-openers").forEach(
        function (part) { part.remove(); });
      page.querySelectorAll(".math").forEach(function (formula) {
        formula.textContent = formula.textContent
          .replace(/\\(?:begin|end|label)\{[^}]*\}/g, " ")
          .replace(/\\(?:mathrm|mathbf|text|operatorname|left|right)\b/g, "")
          .replace(/\\[()\[\]]|[{}$&]/g, "").replace(/\\([a-zA-Z]+)/g, "$1").replace(/\\./g, " ");
      });
      return text(page.documentElement.outerHTML, anchor);
    };
  });
})();
