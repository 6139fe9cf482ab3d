"use strict";
(function () {
  var tools = document.querySelector(".tools");
  var filter = document.getElementById("filter");
  var status = document.getElementById("status");
  var shown = document.getElementById("shown");
  var nothing = document.getElementById("nothing");

  function apply() {
    var words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    var visible = 0, total = 0;
    document.querySelectorAll("[data-search]").forEach(function (element) {
      var text = element.getAttribute("data-search");
      var own = element.getAttribute("data-status");
      var fits = words.every(function (word) { return text.indexOf(word) >= 0; });
      fits = fits && (!status.value || own === null || own === status.value);
      element.hidden = !fits;
      if (element.classList.contains("evaluation")) { total += 1; visible += fits ? 1 : 0; }
    });
    nothing.hidden = visible > 0 || total === 0;
    shown.textContent = words.length || status.value ? visible + " of " + total + " evaluations" : "";
  }

  function key(row, column) {
    var cell = row.cells[column];
    if (!cell) { return ""; }
    return cell.hasAttribute("data-v") ? cell.getAttribute("data-v") : cell.textContent.trim();
  }

  function compare(left, right, sign) {
    if (left === "" || right === "") { return (left === "") - (right === ""); }
    var numbers = !isNaN(left) && !isNaN(right);
    return sign * (numbers ? left - right : left.localeCompare(right, undefined, { numeric: true }));
  }

  function sort(table, column, head) {
    var up = head.getAttribute("aria-sort") !== "ascending";
    table.querySelectorAll("thead th").forEach(function (other) { other.removeAttribute("aria-sort"); });
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    var body = table.tBodies[0];
    Array.from(body.rows)
      .map(function (row, index) { return { row: row, key: key(row, column), index: index }; })
      .sort(function (a, b) { return compare(a.key, b.key, up ? 1 : -1) || a.index - b.index; })
      .forEach(function (item) { body.appendChild(item.row); });
  }

  function makeSortable(table) {
    Array.from(table.tHead.rows[0].cells).forEach(function (head, column) {
      if (head.hasAttribute("data-fixed")) { return; }
      var button = document.createElement("button");
      var mark = document.createElement("span");
      button.type = "button";
      button.className = "sort";
      button.title = "Sort";
      mark.className = "mark";
      mark.setAttribute("aria-hidden", "true");
      if (head.querySelector("a")) {
        button.classList.add("beside");
        button.setAttribute("aria-label", "Sort by " + head.textContent.trim().replace(/\s+/g, " "));
      } else {
        while (head.firstChild) { button.appendChild(head.firstChild); }
      }
      button.appendChild(mark);
      head.appendChild(button);
      button.addEventListener("click", function () { sort(table, column, head); });
    });
  }

  function reveal() {
    var target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    if (target && target.tagName === "DETAILS") { target.open = true; target.scrollIntoView(); }
  }

  if (document.querySelectorAll(".evaluation").length > 1) { tools.hidden = false; }
  document.querySelectorAll("table.sortable").forEach(makeSortable);
  filter.addEventListener("input", apply);
  status.addEventListener("change", apply);
  window.addEventListener("hashchange", reveal);
  window.addEventListener("beforeprint", function () {
    document.querySelectorAll("details").forEach(function (element) { element.open = true; });
  });
  reveal();
})();
