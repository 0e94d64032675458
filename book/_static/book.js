/* A box that scrolls sideways is a stop of the Tab key, so that arrow keys can scroll it. The
   theme sees to code and tables; this, to formulas and figures, once they have their size. */
(function () {
  "use strict";
  var boxes = "mjx-container[display='true'], .mg-frame, .mg-map, p, div.math";

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
    var math = window.MathJax && window.MathJax.startup && window.MathJax.startup.promise;
    Promise.resolve(math).then(stops);
  });
})();
