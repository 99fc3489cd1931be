// A table as CSV (RFC 4180) for spreadsheets, which run a cell that begins like a formula: file names
// and labels are strangers' text.
const FORMULA = /^\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|^[\t\r\n]/;

// Text is always quoted: what separates fields depends on the reader's country.
function field(value) {
  if (typeof value === "number") return String(value);
  const text = FORMULA.test(value) ? `'${value}` : value;

  return `"${text.replaceAll('"', '""')}"`;
}

// `rows` of texts and numbers. Spreadsheets take other than ASCII for UTF-8 only after a mark.
export function csvOf(rows) {
  const text = rows.map((row) => `${row.map(field).join(",")}\r\n`).join("");

  return /[^\0-\x7f]/.test(text) ? `\ufeff${text}` : text;
}

export function save(text, name) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));

  Object.assign(document.createElement("a"), { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10000); // the browser reads it after the click
}
