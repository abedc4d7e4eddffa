
"use strict";
(() => {
  const MOST = 120;  // rows and columns that are drawn at a time
  const data = JSON.parse(document.getElementById("data").textContent);
  const text = (number) => data.texts[number];
  const texts = (numbers) => numbers.map(text);
  const unit = (number) => data.units[number];

  /** Return a new element; `content` is text or elements. Names of the input are text, never markup. */
  function make(tag, attributes = {}, ...content) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...content);
    return element;
  }

  function theme() {
    const button = document.getElementById("theme");
    const names = { "": "system", light: "light", dark: "dark" };
    const order = ["", "light", "dark"];
    let now = "";
    const show = () => {
      if (now) document.documentElement.dataset.theme = now;
      else delete document.documentElement.dataset.theme;
      button.textContent = `Theme: ${names[now]}`;
    };
    button.hidden = false;
    button.addEventListener("click", () => {
      now = order[(order.indexOf(now) + 1) % order.length];
      show();
    });
    const folded = [];
    addEventListener("beforeprint", () => {
      document.documentElement.dataset.theme = "light";
      for (const one of document.querySelectorAll("details:not([open])")) {
        folded.push(one);
        one.open = true;
      }
    });
    addEventListener("afterprint", () => {
      show();
      for (const one of folded.splice(0)) one.open = false;
    });
    show();
  }

  /** A field above a long table or list that hides the items without its text. */
  function filters() {
    for (const place of document.querySelectorAll("[data-filter]")) {
      const items = [...(place.querySelector("tbody") || place).children];
      const field = make("input", { type: "search" });
      const count = make("span", { role: "status" });
      field.addEventListener("input", () => {
        const wanted = field.value.trim().toLowerCase();
        let shown = 0;
        for (const item of items) {
          item.hidden = !item.textContent.toLowerCase().includes(wanted);
          shown += !item.hidden;
        }
        count.textContent = wanted ? `${shown} of ${items.length}` : "";
      });
      place.before(make("div", { class: "controls" }, make("label", {}, `Filter ${place.dataset.filter}`, field), count));
    }
  }

  /** Follow a link inside of the page: to a policy, which is opened, or to a namespace of a picture. */
  function links(views) {
    const open = () => {
      let name = location.hash.slice(1);
      try {
        name = decodeURIComponent(name);
      } catch {
        // Not an address that the page has.
      }
      if (name.startsWith("namespace-")) {
        const view = views.find((one) => one.showNamespace(name.slice("namespace-".length)));
        if (view) view.place.scrollIntoView();
        return;
      }
      if (name.startsWith("group-") && views.some((one) => one.showUnit(name))) return;
      const target = name && document.getElementById(name);
      if (target) {
        for (let one = target; one; one = one.parentElement) if (one.tagName === "DETAILS") one.open = true;
        target.scrollIntoView();
      }
    };
    addEventListener("hashchange", open);
    open();
  }

  class MatrixView {
    constructor(place) {
      this.place = place;
      this.block = data.blocks[Number(place.dataset.block)];
      this.path = [this.block[0]];
      this.sortedBy = null;
      this.build();
      this.draw();
    }

    get matrix() {
      return this.path[this.path.length - 1];
    }

    build() {
      const labelled = (name, element) => make("label", {}, name, element);
      const option = (value, name) => make("option", { value }, name);
      this.chooser = make("select", {}, ...this.block.map((one, at) => option(at, text(one.name))));
      this.space = make("input", { type: "search", placeholder: "part of a name" });
      this.label = make("input", { type: "search", placeholder: "app=web" });
      this.side = make("select", {}, option("both", "rows and columns"), option("rows", "rows"), option("columns", "columns"));
      this.order = make(
        "select", {}, option("alike", "equal rows together"), option("name", "name"),
        option("open", "most allowed first"), option("denied", "most denied first"), option("wrong", "problems first"),
        option("bare", "not isolated first"),
      );
      this.status = make("span", { role: "status" });
      this.back = make("button", { type: "button" }, "← Back");
      this.crumb = make("strong");
      this.holder = make("div", { class: "scroll" });
      this.panel = make("aside", { class: "panel", "aria-label": "Reason", tabindex: "-1", hidden: "" });
      this.legend = make("ul", { class: "legend", "aria-label": "Signs" });
      this.notes = make("div");
      const controls = make(
        "div", { class: "controls" }, labelled("Show", this.chooser), labelled("Namespace", this.space),
        labelled("Label", this.label), labelled("Filter", this.side), labelled("Order of rows", this.order), this.status,
      );
      this.trail = make("div", { class: "controls" }, this.back, this.crumb);
      const help = make("p", { class: "about" },
        "Click a cell for the reason, a column's name to sort by it. Keys: arrows move, Enter opens, Escape goes back.");
      this.place.replaceChildren(
        controls, this.trail, this.legend, make("div", { class: "both" }, this.holder, this.panel), this.notes, help,
      );
      this.chooser.parentElement.hidden = this.block.length < 2;
      const units = this.block.flatMap((one) => [...one.rows, ...one.columns]).map(unit);
      this.label.parentElement.hidden = !units.some((one) => one[2].length);
      this.side.parentElement.hidden = !this.block[0].columns.some((one) => unit(one)[1].length);
      this.chooser.addEventListener("change", () => this.show([this.block[Number(this.chooser.value)]]));
      for (const one of [this.space, this.label, this.side]) one.addEventListener("input", () => this.draw());
      this.order.addEventListener("change", () => {
        this.sortedBy = null;
        this.draw();
      });
      this.back.addEventListener("click", () => this.up());
      this.holder.addEventListener("click", (event) => this.clicked(event));
      this.holder.addEventListener("keydown", (event) => this.pressed(event));
      this.panel.addEventListener("keydown", (event) => {
        if (event.key === "Escape") this.close();
      });
    }

    /** Show a namespace: the groups in it, where a matrix of namespaces has it; else filter by it. */
    showNamespace(name) {
      for (const matrix of this.block) {
        const at = matrix.rows.findIndex((one) => texts(unit(one)[1]).includes(name));
        const [number] = at < 0 ? [] : data.cells[matrix.cells[at][at]]?.[3] ?? [];
        if (number !== undefined) {
          this.chooser.value = this.block.indexOf(matrix);
          this.from = [at, at];
          this.show([matrix, matrix.inner[number]]);
          return true;
        }
      }
      if (!this.block.some((matrix) => matrix.rows.some((one) => texts(unit(one)[1]).includes(name)))) return false;
      this.space.value = name;
      this.show([this.block[0]]);
      return true;
    }

    /** Show the row with an ident; return whether a matrix has it. */
    showUnit(ident) {
      const has = (matrix) => matrix.rows.findIndex((one) => text(unit(one)[5]) === ident);
      const paths = this.block.flatMap((matrix) => [[matrix], ...matrix.inner.map((inner) => [matrix, inner])]);
      const path = paths.find((one) => has(one[one.length - 1]) >= 0);
      if (!path) return false;
      this.chooser.value = this.block.indexOf(path[0]);
      this.space.value = this.label.value = "";
      this.from = null;
      this.show(path);
      const cell = this.holder.querySelector(`td[data-row="${has(this.matrix)}"]`);
      if (cell) this.focus(cell);
      return true;
    }

    show(path) {
      this.path = path;
      this.sortedBy = null;
      this.close(false);
      this.draw();
    }

    up() {
      if (this.path.length < 2) return;
      const from = this.from;
      this.show(this.path.slice(0, -1));
      const again = from && this.holder.querySelector(`td[data-row="${from[0]}"][data-column="${from[1]}"]`);
      if (again) this.focus(again);
    }

    /** Return the places of the units that the filters leave; a unit without namespaces or labels stays. */
    left(units, side) {
      const all = units.map((_, at) => at);
      if (this.side.value !== "both" && this.side.value !== side) return all;
      const space = this.space.value.trim().toLowerCase();
      const label = this.label.value.trim().toLowerCase();
      return all.filter((at) => {
        const [, spaces, labels] = unit(units[at]);
        const has = (found, wanted) => !wanted || !found.length || texts(found).some((one) => one.toLowerCase().includes(wanted));
        return has(spaces, space) && (has(labels, label) || (!labels.length && !spaces.length));
      });
    }

    cell(row, column) {
      return data.cells[this.matrix.cells[row][column]];
    }

    sorted(rows, columns) {
      const count = (row, marks) => columns.filter((column) => marks.includes(this.cell(row, column)[0])).length;
      const name = (row) => text(unit(this.matrix.rows[row])[0]);
      const by = (value) => rows.map((row) => [value(row), row]).sort((a, b) => a[0] - b[0] || a[1] - b[1]).map((one) => one[1]);
      if (this.sortedBy !== null) {
        const order = "!?.ps uX-";
        return by((row) => order.indexOf(this.cell(row, this.sortedBy)[0]));
      }
      switch (this.order.value) {
        case "name": return [...rows].sort((a, b) => name(a).localeCompare(name(b), undefined, { numeric: true }));
        case "open": return by((row) => -count(row, "."));
        case "denied": return by((row) => -count(row, "X"));
        case "wrong": return by((row) => -count(row, "!?u"));
        case "bare": return by((row) => (text(unit(this.matrix.rows[row])[4]) ? 0 : 1));
        default: return rows;
      }
    }

    draw() {
      const { matrix } = this;
      const columns = this.left(matrix.columns, "columns");
      const rows = this.sorted(this.left(matrix.rows, "rows"), columns);
      const shownRows = rows.slice(0, MOST);
      const shownColumns = columns.slice(0, MOST);
      this.trail.hidden = this.path.length < 2;
      const alike = this.from && this.path.length > 1
        ? this.from.map((at, side) => unit((side ? this.path[0].columns : this.path[0].rows)[at])[1].length) : [1];
      const same = Math.max(...alike);
      this.crumb.textContent = text(matrix.name) + (same > 1 ? `, the same for each of ${same} namespaces alike` : "");
      const part = (shown, all, what) => `${shown < all ? `${shown} of ` : ""}${all} ${what}${all === 1 ? "" : "s"}`;
      this.status.textContent = `${part(shownRows.length, matrix.rows.length, "row")}, `
        + part(shownColumns.length, matrix.columns.length, "column");
      const marks = new Set();
      const flat = shownColumns.every((column) => text(unit(matrix.columns[column])[0]).length < 12) && shownColumns.length < 14;
      const head = make("tr", { role: "row" }, make("th", { class: "corner", scope: "col" }, `${text(matrix.axes[0])} ↓  ${text(matrix.axes[1])} →`));
      for (const column of shownColumns) {
        const name = text(unit(matrix.columns[column])[0]);
        const button = make("button", { type: "button", class: flat ? "flat" : "", title: this.title(matrix.columns[column]) }, make("span", {}, name));
        const cell = make("th", { scope: "col", role: "columnheader", "data-sort": column }, button);
        if (this.sortedBy === column) cell.setAttribute("aria-sort", "descending");
        head.append(cell);
      }
      const body = make("tbody");
      const written = shownRows.map((row) => shownColumns.map((column) => this.cell(row, column)[0] + this.cell(row, column)[1]).join(" "));
      shownRows.forEach((row, at) => {
        const line = make("tr", { role: "row" });
        // No line between rows that are equal, so that the eye sees them as one.
        if (at + 1 < written.length && written[at] === written[at + 1]) line.className = "alike";
        const [name, , , , flag] = unit(matrix.rows[row]);
        const title = make("th", { scope: "row", role: "rowheader", title: this.title(matrix.rows[row]) }, text(name));
        if (text(flag)) title.append(" ", make("span", { class: "flag" }, text(flag)));
        line.append(title);
        for (const column of shownColumns) {
          const [mark, shown] = this.cell(row, column);
          marks.add(mark);
          const words = text(shown);
          const cell = make("td", { role: "gridcell", tabindex: "-1", "data-sign": mark, "data-row": row, "data-column": column });
          if (words) cell.className = "wide";
          else cell.classList.add("sign");
          cell.append(words && "!?u".includes(mark) ? `${mark} ${words}` : words || mark);
          cell.setAttribute("aria-label", `${words} ${this.meaning(mark)}`.trim());
          line.append(cell);
        }
        body.append(line);
      });
      const table = make("table", { class: "grid", role: "grid", "aria-label": text(matrix.name) }, make("thead", {}, head), body);
      this.holder.replaceChildren(table);
      const first = table.querySelector("td");
      if (first) first.tabIndex = 0;
      this.legend.replaceChildren(...Object.keys(data.meaning).filter((mark) => marks.has(mark))
        .map((mark) => make("li", {}, make("span", { "data-sign": mark }, mark), ` ${this.meaning(mark)}`)));
      this.notes.replaceChildren(...texts(matrix.notes).map((note) => make("p", {}, note)));
    }

    meaning(mark) {
      const own = this.matrix.meaning[mark];
      return own === undefined ? data.meaning[mark] : text(own);
    }

    title(number) {
      const [name, , labels, lines] = unit(number);
      return [text(name), ...texts(lines), ...texts(labels)].join("\n");
    }

    clicked(event) {
      const sort = event.target.closest("[data-sort]");
      if (sort) {
        const column = Number(sort.dataset.sort);
        this.sortedBy = this.sortedBy === column ? null : column;
        this.draw();
        const again = this.holder.querySelector(`[data-sort="${column}"] button`);
        if (again) again.focus();
        return;
      }
      const cell = event.target.closest("td");
      if (cell) {
        this.focus(cell);
        this.open(cell);
      }
    }

    focus(cell) {
      for (const one of this.holder.querySelectorAll('td[tabindex="0"]')) one.tabIndex = -1;
      cell.tabIndex = 0;
      cell.focus();
    }

    pressed(event) {
      const cell = event.target.closest("td");
      if (!cell) return;
      const line = cell.parentElement;
      const at = [...line.children].indexOf(cell);
      const moves = {
        ArrowLeft: () => cell.previousElementSibling,
        ArrowRight: () => cell.nextElementSibling,
        ArrowUp: () => line.previousElementSibling?.children[at],
        ArrowDown: () => line.nextElementSibling?.children[at],
        Home: () => line.children[1],
        End: () => line.lastElementChild,
      };
      if (moves[event.key]) {
        const next = moves[event.key]();
        if (next && next.tagName === "TD") {
          this.focus(next);
          if (!this.panel.hidden) this.open(next);
        }
      } else if (event.key === "Enter" || event.key === " ") this.open(cell);
      else if (event.key === "Escape") {
        if (this.panel.hidden) this.up();
        else this.close();
      } else return;
      event.preventDefault();
    }

    close(focus = true) {
      this.panel.hidden = true;
      const selected = this.holder.querySelector('[aria-selected="true"]');
      if (selected) {
        selected.removeAttribute("aria-selected");
        if (focus) selected.focus();
      }
    }

    open(cell) {
      const { row, column } = cell.dataset;
      const [mark, , answers, opens] = this.cell(row, column);
      this.close(false);
      cell.setAttribute("aria-selected", "true");
      const ends = [unit(this.matrix.rows[row]), unit(this.matrix.columns[column])];
      const close = make("button", { type: "button", class: "close", "aria-label": "Close" }, "×");
      close.addEventListener("click", () => this.close());
      const heading = make("h3", {}, `${text(ends[0][0])} → ${text(ends[1][0])}`);
      const state = make("p", { class: "verdict" }, make("span", { class: "sign", "data-sign": mark }, mark), ` ${this.meaning(mark)}`);
      const about = ends.filter((one, at) => one[3].length && (!at || one !== ends[0]))
        .map((one) => make("p", { class: "about" }, `${text(one[0])}: ${texts(one[3]).join("; ")}`));
      const steps = opens.map((number) => {
        const inner = this.matrix.inner[number];
        const button = make("button", { type: "button" }, `Open the groups: ${text(inner.name)}`);
        button.addEventListener("click", () => {
          this.from = [row, column];
          this.show([...this.path, inner]);
          const first = this.holder.querySelector("td");
          if (first) this.focus(first);
        });
        return make("p", {}, button);
      });
      this.panel.replaceChildren(close, heading, state, ...about, ...steps, ...answers.map((one) => this.answer(one)));
      this.panel.setAttribute("aria-live", "polite");
      this.panel.hidden = false;
      // A narrow window has the panel at its lower edge, and the cell stays above it.
      cell.scrollIntoView({ block: "nearest", inline: "nearest" });
    }

    answer([asked, verdict, reason, pair, lines, policies]) {
      const found = make("div", { class: "answer" }, make("p", {}, make("span", { class: "verdict" }, `${text(asked)}: ${text(verdict)}`)));
      if (text(pair)) found.append(make("p", { class: "pair" }, text(pair)));
      if (text(reason)) found.append(make("p", {}, text(reason)));
      if (lines.length) found.append(make("ul", {}, ...texts(lines).map((line) => make("li", {}, line))));
      for (const name of texts(policies)) {
        const policy = Object.hasOwn(data.policies, name) ? data.policies[name] : null;
        const place = policy ? text(policy[1]) : "";
        const link = policy ? make("a", { href: `#${text(policy[0])}` }, name) : make("b", {}, name);
        found.append(make("p", {}, "policy ", link, " ", make("code", {}, place)));
        if (policy && policy[2].length) {
          found.append(make("details", {}, make("summary", {}, "nftables"), make("pre", { tabindex: "0" }, texts(policy[2]).join("\n"))));
        }
      }
      return found;
    }
  }

  theme();
  filters();
  links([...document.querySelectorAll(".matrix")].map((place) => new MatrixView(place)));
})();
