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

window.addEventListener("load", () => {
  all(".theme-switch-button svg", (svg) => {
    svg.querySelector("title")?.remove();
    svg.removeAttribute("role");
    svg.setAttribute("aria-hidden", "true");
  });
});
