// Repairs of the theme's accessible names, roles and landmarks; axe-core judges them in the tests.
const all = (selector, repair) => document.querySelectorAll(selector).forEach(repair);

document.addEventListener("DOMContentLoaded", () => {
  // A name must hold the words that are seen.
  all(".search-button-field", (button) =>
    button.setAttribute("aria-label", button.textContent.replace(/\s+/g, " ").trim()));
  all("details > summary[aria-label]", (summary) => summary.removeAttribute("aria-label"));
  all(".citation-list[role], .citation[role]", (list) => list.removeAttribute("role"));
  // The corner of a table with row names is no heading.
  all("thead th", (cell) => { if (!cell.textContent.trim()) cell.outerHTML = "<td></td>"; });
  // Everything lies in a landmark.
  all("#pst-primary-sidebar", (sidebar) => {
    sidebar.setAttribute("role", "complementary");
    sidebar.setAttribute("aria-label", "Book contents and search");
  });
});

// What scrolls is reached with the keyboard. The theme sees to it when the page opens, which is
// too early for what is folded then.
const scrolls = (e) => e.scrollWidth > e.clientWidth + 1
  || (e.scrollHeight > e.clientHeight && getComputedStyle(e).overflowY !== "hidden");
const reach = new ResizeObserver((changed) => changed.forEach(({ target }) => {
  if (scrolls(target)) target.tabIndex = 0;
  else target.removeAttribute("tabindex");
}));

window.addEventListener("load", () => {
  all("pre, .cell_output > .output, .pst-scrollable-table-container, span.math",
    (e) => reach.observe(e));
  all(".theme-switch-button svg", (svg) => {
    svg.querySelector("title")?.remove();
    svg.removeAttribute("role");
    svg.setAttribute("aria-hidden", "true");
  });
});
