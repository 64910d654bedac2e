// Copyright The waybill Authors
// SPDX-License-Identifier: Apache-2.0

package live

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/waybill-go/waybill/internal/flow"
	"github.com/waybill-go/waybill/internal/page"
	"github.com/waybill-go/waybill/internal/receiver"
)

// Server serves the live page of a store. It is safe for concurrent use.
type Server struct {
	store  *Store
	config ServerConfig

	server   *http.Server
	listener net.Listener
	token    string // That a browser must show; empty on a loopback address.
	stop     context.CancelFunc
	serving  sync.WaitGroup
	watching chan struct{} // A slot for each client that is sent the list.
	drawing  sync.Mutex    // One flow is drawn at a time.
	drawn    drawn
}

// ServerConfig configures a [Server].
type ServerConfig struct {
	Endpoints []string // The variables by which an SDK exports to the store.
	Expect    flow.Expectation
}

// drawn is the flow that was drawn last.
type drawn struct {
	number, version uint64
	html            []byte
}

const (
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	writeTimeout  = 30 * time.Second // Of one part of an answer.
	loadTimeout   = 10 * time.Minute
	maxLoaded     = 4 << 30 // Bytes of a recording.
	maxWatching   = 32
	sendEvery     = 500 * time.Millisecond
	pingEvery     = 15 * time.Second
	tokenCookie   = "waybill"
)

// Serve serves the page of store on address until Close is called.
func Serve(ctx context.Context, store *Store, address string, config ServerConfig) (*Server, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	s := &Server{store: store, config: config, listener: listener, stop: stop, watching: make(chan struct{}, maxWatching)}
	if !receiver.IsLoopback(listener.Addr().String()) {
		s.token = rand.Text()
	}
	s.server = &http.Server{
		Handler: s.guard(s.routes()), BaseContext: func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: 64 << 10, ErrorLog: log.New(io.Discard, "", 0),
	}
	s.serving.Go(func() { _ = s.server.Serve(listener) }) // It ends when the listener is closed.
	return s, nil
}

// Address returns the address of the page.
func (s *Server) Address() string {
	host, port, err := net.SplitHostPort(s.listener.Addr().String())
	if err != nil {
		return "http://" + s.listener.Addr().String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	address := "http://" + net.JoinHostPort(host, port) + "/"
	if s.token != "" {
		address += "?token=" + s.token
	}
	return address
}

// Close ends all answers.
func (s *Server) Close(ctx context.Context) error {
	s.stop()
	err := s.server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, s.server.Close())
	}
	s.serving.Wait()
	return err
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.servePage)
	mux.HandleFunc("GET /events", s.serveEvents)
	mux.HandleFunc("GET /flow/{number}", s.serveFlow)
	mux.HandleFunc("GET /save", s.serveSave)
	mux.HandleFunc("POST /load", s.serveLoad)
	mux.HandleFunc("POST /clear", s.serveClear)
	return mux
}

// guard lets only the page itself, and a person who opens it, through to next.
func (s *Server) guard(next http.Handler) http.Handler {
	sameOrigin := http.NewCrossOriginProtection() // For requests that change something.
	return sameOrigin.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Cache-Control", "no-store")
		header.Set("Content-Security-Policy", page.LivePolicy())
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("X-Content-Type-Options", "nosniff")
		from := r.Header.Get("Sec-Fetch-Site")
		switch {
		case s.token == "" && !receiver.IsLocal(r.Host):
			http.Error(w, "this page is for this machine: open it as 127.0.0.1 or localhost", http.StatusForbidden)
		case r.URL.Path != "/" && from != "" && from != "same-origin" && from != "none":
			http.Error(w, "another site cannot use this page", http.StatusForbidden)
		case s.token != "" && !s.isAllowed(w, r):
		default:
			next.ServeHTTP(&patient{ResponseWriter: w, control: http.NewResponseController(w)}, r)
		}
	}))
}

// isAllowed reports whether r shows the token. One that is in the address becomes a
// cookie, so that it does not stay there.
func (s *Server) isAllowed(w http.ResponseWriter, r *http.Request) bool {
	if cookie, err := r.Cookie(tokenCookie); err == nil && s.isToken(cookie.Value) {
		return true
	}
	if r.URL.Path == "/" && s.isToken(r.URL.Query().Get("token")) {
		http.SetCookie(w, &http.Cookie{Name: tokenCookie, Value: s.token, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return false
	}
	http.Error(w, "open the address that waybill view has printed; it has a token", http.StatusForbidden)
	return false
}

func (s *Server) isToken(text string) bool {
	return subtle.ConstantTimeCompare([]byte(text), []byte(s.token)) == 1
}

// patient waits for a client as long as it goes on reading.
type patient struct {
	http.ResponseWriter

	control *http.ResponseController
}

// Write implements [http.ResponseWriter].
func (p *patient) Write(b []byte) (int, error) {
	if err := p.control.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return 0, err
	}
	return p.ResponseWriter.Write(b)
}

// Unwrap lets a [http.ResponseController] find the writer.
func (p *patient) Unwrap() http.ResponseWriter { return p.ResponseWriter }

func (s *Server) servePage(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	live := page.Live{Endpoints: s.config.Endpoints}
	for _, state := range States() {
		live.States = append(live.States, string(state))
	}
	_ = page.WriteLive(w, live) // A client that has left is not told.
}

// sent is what a client is sent when the list or the chosen flow has changed.
type sent struct {
	List  List   `json:"list"`
	Asked uint64 `json:"asked"` // The number of the chosen flow,
	Flow  struct {
		Number  uint64 `json:"number"`  // its number after it was joined with others, or 0 if it fell out,
		Version uint64 `json:"version"` // and its version.
	} `json:"flow"`
}

// serveEvents sends the list as server-sent events.
// https://html.spec.whatwg.org/multipage/server-sent-events.html
func (s *Server) serveEvents(w http.ResponseWriter, r *http.Request) {
	select {
	case s.watching <- struct{}{}:
		defer func() { <-s.watching }()
	default:
		http.Error(w, "too many pages are open", http.StatusServiceUnavailable)
		return
	}
	asked, _ := strconv.ParseUint(r.FormValue("flow"), 10, 64) // Nothing is chosen otherwise.
	query := Query{Service: r.FormValue("service"), Destination: r.FormValue("destination"), State: State(r.FormValue("state")), Text: r.FormValue("text")}
	w.Header().Set("Content-Type", "text/event-stream")
	control := http.NewResponseController(w)
	tick, ping := time.NewTicker(sendEvery), time.NewTicker(pingEvery)
	defer tick.Stop()
	defer ping.Stop()
	known := uint64(0)
	for {
		if s.store.CurrentVersion() != known {
			var event sent
			event.List, known = s.store.List(query)
			event.Asked = asked
			event.Flow.Number, event.Flow.Version, _ = s.store.Version(asked)
			text, err := json.Marshal(event)
			if err != nil {
				return // It has no value that cannot be marshaled.
			}
			if _, err := fmt.Fprintf(w, "event: flows\ndata: %s\n\n", text); err != nil || control.Flush() != nil {
				return
			}
		}
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
		case <-ping.C:
			if _, err := io.WriteString(w, ":\n\n"); err != nil || control.Flush() != nil {
				return
			}
		}
	}
}

// serveFlow sends a flow as a part of the page.
func (s *Server) serveFlow(w http.ResponseWriter, r *http.Request) {
	number, err := strconv.ParseUint(r.PathValue("number"), 10, 64)
	if err != nil {
		http.Error(w, "no such flow", http.StatusNotFound)
		return
	}
	d, ok := s.draw(number)
	if !ok {
		http.Error(w, "the flow has fallen out", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Waybill-Version", strconv.FormatUint(d.version, 10))
	_, _ = w.Write(d.html) // A client that has left is not told.
}

// draw returns a flow as a part of the page. It reports false if the flow has fallen out.
func (s *Server) draw(number uint64) (drawn, bool) {
	s.drawing.Lock()
	defer s.drawing.Unlock()
	now, version, ok := s.store.Version(number)
	if !ok {
		return drawn{}, false
	}
	if s.drawn.number == now && s.drawn.version == version {
		return s.drawn, true
	}
	e, ok := s.store.Examine(now, s.config.Expect)
	if !ok {
		return drawn{}, false
	}
	report := page.Report{Graph: e.Graph, Diagnosis: e.Diagnosis}
	if e.Omitted > 0 {
		report.Note = flow.Plural(e.Omitted, "more span") + " of this flow came and are not kept."
	}
	var html bytes.Buffer
	if err := page.WriteFlow(&html, report); err != nil {
		return drawn{}, false // A buffer takes all.
	}
	s.drawn = drawn{e.Number, e.Version, html.Bytes()}
	return s.drawn, true
}

func (s *Server) serveSave(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("Content-Disposition", "attachment; filename=waybill-"+time.Now().Format("20060102-150405")+".jsonl")
	_ = s.store.Save(w) // A client that has left is not told.
}

func (s *Server) serveLoad(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	if err := control.SetReadDeadline(time.Now().Add(loadTimeout)); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	loaded, err := s.store.Load(r.Context(), http.MaxBytesReader(w, r.Body, maxLoaded))
	if err != nil {
		http.Error(w, "It cannot be loaded: "+err.Error(), http.StatusBadRequest)
		return
	}
	_, _ = fmt.Fprintln(w, loaded) // A client that has left is not told.
}

func (s *Server) serveClear(w http.ResponseWriter, _ *http.Request) {
	s.store.Clear()
	_, _ = fmt.Fprintln(w, "Cleared.") // As above.
}
