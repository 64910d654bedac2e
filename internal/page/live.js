// The live page: a list of flows that the server sends as it changes, and the flow that
// is chosen, which is fetched again when it has grown.
(() => {
	const $ = (id) => document.getElementById(id);
	const list = $("list"), filter = $("filter"), main = $("flow");
	const chosen = { number: 0, version: 0 }; // The flow, and the version of it that is shown.
	let wanted = 0; // The version of the chosen flow that the server has.
	let latest = null, paused = false;

	const say = (text, bad) => { $("said").textContent = text; $("said").classList.toggle("bad", Boolean(bad)); };
	const count = (n, what) => `${n.toLocaleString("en")} ${what}${n === 1 ? "" : "s"}`;
	const element = (name, className, text) => {
		const made = document.createElement(name);
		made.className = className;
		made.textContent = text;
		return made;
	};

	// The list. An element is kept as long as its flow is listed, so that it keeps the focus.
	const items = new Map();
	const itemOf = (row) => {
		let item = items.get(row.number);
		if (!item) {
			item = document.createElement("li");
			const button = element("button", "", "");
			button.type = "button";
			button.tabIndex = -1;
			button.dataset.number = row.number;
			item.append(button);
			items.set(row.number, item);
		}
		const text = JSON.stringify(row);
		if (item.dataset.row === text) return item;
		item.dataset.row = text;
		const button = item.firstChild;
		button.className = row.state;
		const facts = [count(row.spans, "span"), row.services.length > 1 ? count(row.services.length, "service") : "", row.took,
			row.errors ? count(row.errors, "error") : "", new Date(row.started).toLocaleTimeString()];
		button.replaceChildren(element("span", "name", `${row.service} ${row.name}`), element("span", "state " + row.state, row.state),
			element("span", "facts", facts.filter(Boolean).join(" · ")));
		if (row.finding) button.append(element("span", "finding-of", row.finding));
		return item;
	};
	const drawList = () => {
		const numbers = new Set(latest.rows.map((row) => row.number));
		for (const [number, item] of items) {
			if (!numbers.has(number)) {
				item.remove();
				items.delete(number);
			}
		}
		latest.rows.forEach((row, n) => {
			const item = itemOf(row);
			if (list.children[n] !== item) {
				const focused = item.contains(document.activeElement);
				list.insertBefore(item, list.children[n] || null);
				if (focused) item.firstChild.focus({ preventScroll: true });
			}
		});
		mark();
		const left = latest.matching - latest.rows.length;
		const gone = latest.goneFlows || latest.goneSpans ? `${count(latest.goneFlows, "flow")} and ${count(latest.goneSpans, "span")} have fallen out.` : "";
		$("more").textContent = [left > 0 ? `${left.toLocaleString("en")} more match; filter to see them.` : "", latest.flows && !latest.matching ? "No flow matches." : "", gone].filter(Boolean).join(" ");
		document.title = (latest.states.broken ? `(${latest.states.broken.toLocaleString("en")} broken) ` : "") + "waybill view";
		$("totals").textContent = `${count(latest.spans, "span")}, ${count(latest.flows, "flow")}`;
		for (const button of filter.querySelectorAll("[data-state]")) button.querySelector(".number").textContent = (latest.states[button.dataset.state] || 0).toLocaleString("en");
		choices(filter.elements.service, latest.services);
		choices(filter.elements.destination, latest.destinations);
	};
	// mark marks the chosen flow. Tab reaches it, or the first one.
	const mark = () => {
		for (const button of list.querySelectorAll("button")) {
			const current = Number(button.dataset.number) === chosen.number;
			button.setAttribute("aria-current", current);
			button.tabIndex = current ? 0 : -1;
		}
		if (!list.querySelector("[tabindex='0']") && list.firstChild) list.firstChild.firstChild.tabIndex = 0;
	};
	const choices = (select, texts) => {
		const known = [...select.options].slice(1).map((option) => option.value);
		if (known.length === texts.length && known.every((text, n) => text === texts[n])) return;
		const value = select.value;
		const all = value && !texts.includes(value) ? [...texts, value] : texts;
		select.replaceChildren(select.options[0], ...all.map((text) => new Option(text, text)));
		select.value = value;
	};

	// The chosen flow.
	const choose = (number) => {
		if (number === chosen.number) return;
		Object.assign(chosen, { number, version: 0 });
		wanted = 0;
		mark();
		connect();
		fetchFlow();
	};
	let request = null, rest = 0; // The request that is under way, or the timer that runs until the next one.
	const refresh = () => { if (!request && !rest && !paused && wanted > chosen.version) fetchFlow(); };
	const fetchFlow = async () => {
		if (request) request.abort();
		clearTimeout(rest);
		rest = 0;
		const own = new AbortController(), number = chosen.number, started = performance.now();
		request = own;
		if (!shown) main.replaceChildren(element("p", "more", "Drawing the flow…"));
		try {
			const response = await fetch(`/flow/${number}`, { signal: own.signal });
			const text = await response.text();
			if (own !== request) return;
			if (!response.ok && response.status !== 404) throw new Error(text);
			show(number, response.ok ? text : `<section class="waiting"><h1>This flow has fallen out</h1><p>The flows into which spans came last are kept. Choose another one.</p></section>`);
			chosen.version = Number(response.headers.get("Waybill-Version"));
		} catch (error) {
			if (own !== request) return;
			chosen.version = wanted;
			say(`The flow cannot be shown: ${error.message}`, true);
		}
		request = null;
		// A large flow is drawn less often.
		rest = setTimeout(() => { rest = 0; refresh(); }, Math.min(Math.max(500, 4 * (performance.now() - started)), 30000));
	};
	let shown = 0; // The flow that main shows.
	const show = (number, html) => {
		const same = shown === number, open = [...main.querySelectorAll("details")].map((details) => details.open);
		const focused = main.contains(document.activeElement) ? document.activeElement : null;
		const search = focused && focused.id === "search" ? [focused.selectionStart, focused.selectionEnd] : null;
		const top = main.scrollTop;
		const parsed = new DOMParser().parseFromString(html, "text/html");
		main.replaceChildren(...[...parsed.body.childNodes].map((node) => document.adoptNode(node)));
		shown = number;
		if (!$("data")) return;
		if (!same) {
			waybill.other("flow=" + number);
			main.scrollTop = 0;
			return;
		}
		waybill.again();
		[...main.querySelectorAll("details")].forEach((details, n) => { if (n < open.length) details.open = open[n]; });
		main.scrollTop = top;
		if (search) {
			$("search").focus({ preventScroll: true });
			$("search").setSelectionRange(...search);
		} else if (focused && focused.id && $(focused.id)) {
			$(focused.id).focus({ preventScroll: true });
		}
	};

	// What the server sends.
	let source = null;
	const connect = () => {
		if (source) source.close();
		const query = new URLSearchParams(new FormData(filter));
		query.set("flow", chosen.number);
		const state = filter.querySelector("[data-state][aria-pressed='true']");
		if (state) query.set("state", state.dataset.state);
		source = new EventSource("/events?" + query);
		source.addEventListener("open", () => linked(true));
		source.addEventListener("error", () => linked(false));
		source.addEventListener("flows", (event) => {
			linked(true);
			const sent = JSON.parse(event.data);
			latest = sent.list;
			if (sent.flow.number && sent.flow.number !== chosen.number && sent.asked === chosen.number) { // It was joined with another one.
				if (shown === chosen.number) shown = sent.flow.number;
				chosen.number = sent.flow.number;
			}
			if (sent.flow.number === chosen.number) wanted = sent.flow.version;
			if (paused) return;
			drawList();
			if (!chosen.number && latest.rows.length) choose(first());
			else refresh();
		});
	};
	const first = () => {
		const asked = Number(new URLSearchParams(location.hash.slice(1)).get("flow"));
		return latest.rows.some((row) => row.number === asked) ? asked : latest.rows[0].number;
	};
	const linked = (on) => {
		$("link").textContent = !on ? "no connection: is waybill view running?" : paused ? "paused" : "live";
		$("link").classList.toggle("off", !on || paused);
	};

	list.addEventListener("click", (event) => { const button = event.target.closest("button"); if (button) choose(Number(button.dataset.number)); });
	list.addEventListener("keydown", (event) => {
		const item = event.target.closest("li");
		const next = item && { ArrowDown: item.nextSibling, ArrowUp: item.previousSibling, Home: list.firstChild, End: list.lastChild }[event.key];
		if (!next) return;
		event.preventDefault();
		next.firstChild.focus();
	});
	let typing = 0;
	filter.addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(connect, 150); });
	filter.addEventListener("submit", (event) => event.preventDefault());
	filter.addEventListener("click", (event) => {
		const button = event.target.closest("[data-state]");
		if (!button) return;
		const pressed = button.getAttribute("aria-pressed") === "true";
		for (const other of filter.querySelectorAll("[data-state]")) other.setAttribute("aria-pressed", other === button && !pressed);
		connect();
	});
	$("pause").addEventListener("click", () => {
		paused = !paused;
		$("pause").setAttribute("aria-pressed", paused);
		$("pause").textContent = paused ? "Resume" : "Pause";
		linked(true);
		if (paused || !latest) return;
		drawList();
		refresh();
	});

	const post = async (path, body) => {
		try {
			const response = await fetch(path, { method: "POST", body });
			say((await response.text()).trim(), !response.ok);
			return response.ok;
		} catch (error) {
			say(`${error.message}: is waybill view running?`, true);
			return false;
		}
	};
	$("load").addEventListener("click", () => $("file").click());
	$("file").addEventListener("change", async () => {
		const [file] = $("file").files;
		if (!file) return;
		say(`Loading ${file.name}`);
		await post("/load", file);
		$("file").value = "";
	});
	let asking = 0;
	$("clear").addEventListener("click", async () => {
		const ask = $("clear").textContent === "Clear";
		clearTimeout(asking);
		$("clear").textContent = ask ? "Clear all?" : "Clear";
		if (ask) {
			asking = setTimeout(() => { $("clear").textContent = "Clear"; }, 4000);
			return;
		}
		if (await post("/clear")) {
			Object.assign(chosen, { number: 0, version: 0 });
			shown = 0;
			main.replaceChildren(element("p", "", "All flows were cleared."));
			connect();
		}
	});
	connect();
})();
