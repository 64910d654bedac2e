"use strict";
// The page works without this script: it adds zoom, details, search, and a fragment
// that keeps the view. The live page calls show again for each flow that it shows.
const waybill = (() => {
	let details = {}, pictures = [], bars = new Map();
	const state = { chosen: "", query: "", views: {}, extra: "" };

	const show = () => {
		details = JSON.parse(document.getElementById("data").textContent);
		for (const element of document.querySelectorAll(".search, #picture-hint")) element.hidden = false;
		document.getElementById("text").open = false;
		// Tab reaches one row of each picture; the arrow keys reach the others.
		for (const svg of document.querySelectorAll("svg.time")) {
			svg.querySelectorAll(".row").forEach((row, n) => row.setAttribute("tabindex", n === 0 ? 0 : -1));
		}
		pictures = [...document.querySelectorAll("svg.time")].map(pictureOf);
		bars = new Map([...document.querySelectorAll(".span")].map((bar) => [bar.dataset.row, bar]));
		const search = document.getElementById("search");
		search.addEventListener("input", () => { state.query = search.value; filter(); remember(); });
		document.getElementById("close").addEventListener("click", () => choose(""));
		recall();
	};

	// duration formats nanoseconds.
	const duration = (ns) => {
		for (const [unit, name] of [[3600e9, "h"], [60e9, "m"], [1e9, "s"], [1e6, "ms"], [1e3, "µs"]]) {
			if (Math.abs(ns) >= unit) return Number((ns / unit).toPrecision(4)) + name;
		}
		return Math.round(ns) + "ns";
	};

	// A picture shows the part of its time from a to b, as shares of the whole.
	const pictureOf = (svg) => {
		const left = Number(svg.dataset.left), right = Number(svg.dataset.right), total = Number(svg.dataset.ns);
		const plot = svg.querySelector(".plot"), axis = svg.querySelector(".axis");
		const height = svg.viewBox.baseVal.height;
		let a = 0, b = 1;
		const draw = () => {
			const scale = 1 / (b - a);
			plot.setAttribute("transform", `translate(${left - (left + a * (right - left)) * scale} 0) scale(${scale} 1)`);
			const visible = total * (b - a);
			let step = Math.pow(10, Math.floor(Math.log10(visible / 6)));
			while (visible / step > 8) step *= visible / step > 20 ? 5 : 2;
			axis.replaceChildren();
			for (let at = Math.ceil(total * a / step) * step; at <= total * b; at += step) {
				const x = left + (at / total - a) * scale * (right - left);
				const line = document.createElementNS(svg.namespaceURI, "path");
				line.setAttribute("d", `M${x} 22V${height}`);
				const text = document.createElementNS(svg.namespaceURI, "text");
				text.setAttribute("x", x);
				text.setAttribute("y", 16);
				text.setAttribute("text-anchor", "middle");
				text.textContent = duration(at);
				axis.append(line, text);
			}
		};
		const set = (from, to, quiet) => {
			const width = Math.min(1, Math.max(to - from, 1e-7));
			a = Math.min(Math.max(from, 0), 1 - width);
			b = a + width;
			state.views[svg.id] = a === 0 && b === 1 ? undefined : [a, b];
			draw();
			if (!quiet) remember();
		};
		const zoom = (factor, at) => set(at - (at - a) * factor, at + (b - at) * factor);
		const share = (event) => {
			const box = svg.getBoundingClientRect();
			const x = (event.clientX - box.left) * svg.viewBox.baseVal.width / box.width;
			return Math.min(Math.max(a + (x - left) / (right - left) * (b - a), a), b);
		};
		svg.addEventListener("wheel", (event) => {
			const box = svg.getBoundingClientRect();
			const overNames = (event.clientX - box.left) * svg.viewBox.baseVal.width / box.width < left;
			if (overNames || Math.abs(event.deltaY) < Math.abs(event.deltaX) || (event.deltaY > 0 && b - a === 1)) return; // The page scrolls.
			event.preventDefault();
			zoom(Math.exp(event.deltaY / 400), share(event));
		}, { passive: false });
		let drag = null;
		svg.addEventListener("pointerdown", (event) => { drag = { x: event.clientX, a, b, moved: false }; });
		svg.addEventListener("pointermove", (event) => {
			if (!drag || event.buttons === 0) return;
			if (Math.abs(event.clientX - drag.x) < 4 && !drag.moved) return;
			drag.moved = true;
			const box = svg.getBoundingClientRect();
			const by = (event.clientX - drag.x) / box.width * svg.viewBox.baseVal.width / (right - left) * (drag.b - drag.a);
			set(drag.a - by, drag.b - by, true);
		});
		svg.addEventListener("click", (event) => { if (drag && drag.moved) event.stopPropagation(); drag = null; remember(); }, true);
		svg.addEventListener("keydown", (event) => {
			const middle = (a + b) / 2, by = (b - a) / 8;
			const keys = { "+": () => zoom(0.6, middle), "=": () => zoom(0.6, middle), "-": () => zoom(1 / 0.6, middle), "0": () => set(0, 1), ArrowLeft: () => set(a - by, b - by), ArrowRight: () => set(a + by, b + by) };
			if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
		});
		return { svg, set };
	};

	const cell = (row, name, text) => {
		const element = document.createElement(name);
		element.textContent = text;
		if (name === "th") element.scope = "row";
		row.append(element);
	};
	const choose = (id, quiet) => {
		for (const row of document.querySelectorAll(".row.chosen")) row.classList.remove("chosen");
		const d = details[id], row = document.getElementById(id);
		state.chosen = d && row ? id : "";
		document.getElementById("details").hidden = !state.chosen;
		if (state.chosen) {
			row.classList.add("chosen");
			document.getElementById("details-title").textContent = d.service + " " + d.name + (d.count > 1 ? " ×" + d.count : "");
			const table = document.createElement("table");
			const lines = [["kind", d.kind], ["over", d.channel], ["took", d.count > 1 ? `${d.shortest} to ${d.longest}, p50 ${d.median}, p95 ${d.p95}` : d.longest],
				["errors", d.errors ? `${d.errors}; ${d.error}` : ""], ["links", d.links || ""], ...(d.targets || []).map((path) => ["links to", path]), ["path", d.path], ["golden line", d.golden], ["trace id", d.traceId], ["span id", d.spanId],
				["log query", `{service_name=${JSON.stringify(d.service)}} | trace_id=${JSON.stringify(d.traceId)}`], ...(d.attributes || [])];
			for (const [key, text] of lines) {
				if (text === "" || text === undefined) continue;
				const tr = table.insertRow();
				cell(tr, "th", key);
				cell(tr, "td", String(text));
			}
			document.getElementById("details-body").replaceChildren(table);
		}
		if (!quiet) remember();
	};
	document.addEventListener("click", (event) => { const row = event.target.closest(".row"); if (row) choose(row.id); });
	document.addEventListener("keydown", (event) => {
		const row = event.target.closest && event.target.closest(".row");
		if (event.key === "Escape" && state.chosen) choose("");
		if (!row) return;
		if (event.key === "Enter" || event.key === " ") { event.preventDefault(); choose(row.id); }
		const rows = [...document.querySelectorAll(".row")], at = rows.indexOf(row);
		const next = { ArrowDown: rows[at + 1], ArrowUp: rows[at - 1] }[event.key];
		if (next) {
			event.preventDefault();
			row.setAttribute("tabindex", -1);
			next.setAttribute("tabindex", 0);
			next.focus();
		}
	});

	const filter = () => {
		const query = state.query.toLowerCase();
		for (const row of document.querySelectorAll(".row")) {
			const d = details[row.id];
			const text = d ? `${d.service} ${d.name} ${d.channel || ""} ${d.error || ""}`.toLowerCase() : "";
			const dim = query !== "" && !text.includes(query);
			row.classList.toggle("dim", dim);
			const bar = bars.get(row.id);
			if (bar) bar.classList.toggle("dim", dim);
		}
	};

	// The fragment of the address keeps the view. Browsers limit how often it may change.
	let pending = 0;
	const remember = () => {
		clearTimeout(pending);
		pending = setTimeout(writeFragment, 150);
	};
	const writeFragment = () => {
		const views = Object.entries(state.views).filter(([, v]) => v).map(([id, [a, b]]) => `${id}:${a.toFixed(6)}-${b.toFixed(6)}`);
		const parts = [state.extra, state.chosen && "span=" + state.chosen, state.query && "q=" + encodeURIComponent(state.query), views.length && "time=" + views.join(",")].filter(Boolean);
		history.replaceState(null, "", parts.length ? "#" + parts.join("&") : "#");
	};
	const recall = () => {
		const parts = new URLSearchParams(location.hash.slice(1));
		state.query = parts.get("q") || "";
		document.getElementById("search").value = state.query;
		filter();
		for (const view of (parts.get("time") || "").split(",")) {
			const match = /^([a-z]+):([0-9.]+)-([0-9.]+)$/.exec(view);
			const picture = match && pictures.find((p) => p.svg.id === match[1]);
			if (picture) picture.set(Number(match[2]), Number(match[3]), true);
		}
		if (parts.get("span")) choose(parts.get("span"), true);
	};
	if (document.getElementById("data")) show();
	addEventListener("hashchange", () => { if (document.getElementById("data")) recall(); });

	// again shows what has replaced the flow that was shown, in the same view.
	const again = () => {
		const chosen = details[state.chosen]?.spanId;
		clearTimeout(pending);
		writeFragment();
		show();
		const row = chosen && Object.keys(details).find((id) => details[id].spanId === chosen);
		choose(row || "", true);
	};
	// other shows another flow, and extra in the fragment.
	const other = (extra) => {
		clearTimeout(pending);
		Object.assign(state, { chosen: "", query: "", views: {}, extra });
		writeFragment();
		show();
	};
	return { again, other };
})();
