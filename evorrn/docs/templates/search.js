const field = document.querySelector(".search input"), list = document.querySelector(".search ol");
const lower = PAGES.map(([, title, heading, text]) => [`${title} ${heading}`.toLowerCase(), text.toLowerCase()]);
field.addEventListener("input", () => {
  const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  const found = words.length ? PAGES.map((page, place) => {
    const [head, text] = lower[place];
    const all = words.every((word) => head.includes(word) || text.includes(word));
    return [all ? words.filter((word) => head.includes(word)).length + 1 : 0, page, text];
  }).filter(([score]) => score).sort((a, b) => b[0] - a[0]).slice(0, 12) : [];
  list.replaceChildren(...found.map(([, [address, title, heading, full], text]) => {
    const item = document.createElement("li"), link = document.createElement("a"), extract = document.createElement("span");
    link.href = ROOT + address;
    link.textContent = heading ? `${title}: ${heading}` : title;
    const at = Math.max(text.indexOf(words[0]) - 40, 0);
    extract.textContent = full.slice(at, at + 120);
    item.append(link, extract);
    return item;
  }));
  list.hidden = !found.length;
});
