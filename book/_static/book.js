/* A box that scrolls sideways is a stop of the Tab key, so that arrow keys can scroll it. The
   theme sees to code and tables; this, to formulas and figures, once they have their size. */
(function () {
  "use strict";
  var mg = (window.mgtutorial = window.mgtutorial || {});
  var boxes = "mjx-container[display='true'], .mg-frame, .mg-map, p, div.math, div.output";

  /* Thirty at a time, first looked at and then changed, so that a phone answers in between. */
  function stops() {
    var article = document.querySelector(".bd-article");
    var left = Array.from(article ? article.querySelectorAll(boxes) : []);
    (function next() {
      var some = left.splice(0, 30);
      var scrolls = some.map(function (box) {
        return box.scrollWidth > box.clientWidth + 1 && box.clientWidth > 0 &&
          /auto|scroll/.test(getComputedStyle(box).overflowX);
      });
      some.forEach(function (box, i) {
        if (scrolls[i]) box.tabIndex = 0;
        else if (box.tabIndex === 0) box.removeAttribute("tabindex");
      });
      if (left.length) setTimeout(next);
      else mg.boxes = true; // for whoever waits for it
    })();
  }

  var soon;
  window.addEventListener("resize", function () {
    mg.boxes = false;
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
  // Paper is white, and browsers leave the dark ground of a page out: print what is for the light.
  var opened = [], root = document.documentElement, theme;
  window.addEventListener("beforeprint", function () {
    theme = root.dataset.theme;
    root.dataset.theme = "light";
    opened = Array.from(document.querySelectorAll("details.mg-proof:not([open])"));
    opened.forEach(function (fold) { fold.open = true; });
  });
  window.addEventListener("afterprint", function () {
    opened.forEach(function (fold) { fold.open = false; });
    root.dataset.theme = theme;
  });
})();

/* Words in a sentence that set the figure beside it: its sliders, known by their labels, and its
   buttons. What is heard of the figure is said by the figure. */
(function () {
  "use strict";
  function named(figure, selector, name, label) {
    return Array.from(figure.querySelectorAll(selector)).find(function (row) {
      return (name ? row.querySelector(name).textContent : row.ariaLabel).trim() === label;
    });
  }

  function set(figure, label, value) {
    var data = figure.querySelector(".mg-data");
    var row = named(figure, ".mg-row", "label", label) ||
      named(figure, "label.mg-stage-row", "span", label);
    if (row) {
      var input = row.querySelector("input");
      if (data) { // positions, which have words
        data = JSON.parse(data.textContent);
        input.value = data.texts[data.labels.indexOf(label)].indexOf(value);
      } else input.value = value;
      input.dispatchEvent(new Event("input", { bubbles: true }));
      return;
    }
    var group = named(figure, "[role=group][aria-label]", null, label);
    Array.from(group.querySelectorAll("button")).find(function (button) {
      return button.textContent === value;
    }).click();
  }

  document.addEventListener("click", function (event) {
    var words = event.target.closest("button.mg-set");
    if (!words) return;
    var figure = document.getElementById(words.dataset.figure);
    var values = JSON.parse(words.dataset.values);
    Object.keys(values).forEach(function (label) { set(figure, label, values[label]); });
    var box = figure.getBoundingClientRect();
    if (box.bottom < 80 || box.top > window.innerHeight - 80) {
      figure.scrollIntoView({ block: "center" });
    }
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
