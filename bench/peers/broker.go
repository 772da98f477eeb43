// SPDX-License-Identifier: Apache-2.0
// broker.go - find, check-out and release with Go's net/http; with PEER_JOURNAL durable (journal.go).
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"
)

type operation struct {
	CredentialID string `json:"credential_id"`
	Session      struct {
		ID   string
		User struct{ Username, Domain string }
		Item struct{ Hostname string } `json:"jump_item"`
	}
}

type row struct {
	SystemID    int `json:"SystemId"`
	SystemName  string
	AccountID   int `json:"AccountId"`
	AccountName string
}

func (o *operation) record(event string) record {
	return record{Time: time.Now().UTC(), Event: event, Session: o.Session.ID, Credential: o.CredentialID,
		User: o.Session.User.Domain + `\` + o.Session.User.Username}
}

var (
	base     = os.Getenv("PEER_VAULT") + "/BeyondTrust/api/public/v3/"
	client   *http.Client
	cookies  sync.Map // user -> cookie
	requests sync.Map // session and credential -> vault request id
	kept     *journal // nil = not durable
)

func call(method, path, cookie, authorization string, body []byte) (*http.Response, []byte, error) {
	request, err := http.NewRequest(method, base+path, bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	if cookie != "" {
		request.Header.Set("Cookie", cookie)
	}
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	if len(body) > 0 {
		request.Header.Set("Content-Type", "application/json")
	}
	answer, err := client.Do(request)
	if err != nil {
		return nil, nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return answer, text, err
}

func signIn(user string) (string, error) {
	if cookie, ok := cookies.Load(user); ok {
		return cookie.(string), nil
	}
	answer, _, err := call("POST", "Auth/SignAppin", "", "PS-Auth key="+os.Getenv("PEER_KEY")+"; runas="+user+";", nil)
	if err != nil || answer.StatusCode != 200 {
		return "", fmt.Errorf("sign-in refused")
	}
	cookie := strings.SplitN(answer.Header.Get("Set-Cookie"), ";", 2)[0]
	cookies.Store(user, cookie)
	return cookie, nil
}

func list(host, cookie string) ([]row, error) {
	answer, text, err := call("GET", "ManagedAccounts?systemName="+url.QueryEscape(host)+"&type=system&limit=1000&offset=0", cookie, "", nil)
	if err != nil || answer.StatusCode != 200 {
		return nil, fmt.Errorf("no list")
	}
	var rows []row
	return rows, json.Unmarshal(text, &rows)
}

func write(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value)
}

func find(w http.ResponseWriter, o *operation, cookie string) {
	rows, err := list(o.Session.Item.Hostname, cookie)
	if err != nil {
		http.Error(w, err.Error(), 502)
		return
	}
	found := []map[string]any{}
	for _, r := range rows {
		found = append(found, map[string]any{"credential_id": fmt.Sprintf("%d.%d", r.SystemID, r.AccountID),
			"display_value": r.AccountName, "kind": "local", "account": r.AccountName, "system": r.SystemName})
	}
	write(w, map[string]any{"credentials": found, "age_ms": 0})
}

func checkout(w http.ResponseWriter, o *operation, cookie string) {
	var found *row
	rows, err := list(o.Session.Item.Hostname, cookie)
	for i := range rows {
		if fmt.Sprintf("%d.%d", rows[i].SystemID, rows[i].AccountID) == o.CredentialID {
			found = &rows[i]
		}
	}
	if err != nil || found == nil {
		http.Error(w, "not found", 404)
		return
	}
	entry := o.record("intent")
	if kept != nil && kept.await(entry) != nil {
		http.Error(w, "no journal", 503)
		return
	}
	body, _ := json.Marshal(map[string]any{"AccessType": "View", "SystemID": found.SystemID, "AccountID": found.AccountID,
		"DurationMinutes": 60, "Reason": "PRA session " + o.Session.ID, "ConflictOption": "reuse"})
	answer, id, err := call("POST", "Requests", cookie, "", body)
	if err != nil || (answer.StatusCode != 200 && answer.StatusCode != 201) {
		http.Error(w, "no request", 502)
		return
	}
	answer, text, err := call("GET", "Credentials/"+string(id)+"?type=password", cookie, "", nil)
	var password string
	if err != nil || answer.StatusCode != 200 || json.Unmarshal(text, &password) != nil {
		http.Error(w, "no credential", 502)
		return
	}
	entry.Event, entry.Request = "open", string(id)
	audit := entry
	audit.Event, audit.Action, audit.Account, audit.System = "audit", "checkout", found.AccountName, found.SystemName
	if kept != nil && kept.await(entry, audit) != nil {
		http.Error(w, "no journal", 503)
		return
	}
	requests.Store(o.Session.ID+" "+o.CredentialID, string(id))
	write(w, map[string]any{"credential_id": o.CredentialID, "kind": "password", "username": found.AccountName,
		"account": found.AccountName, "password": password,
		"lease": map[string]any{"id": o.Session.ID, "request_id": json.Number(string(id)), "expires_at": time.Now().UTC()}})
}

func release(w http.ResponseWriter, o *operation, cookie string) {
	id, ok := requests.LoadAndDelete(o.Session.ID + " " + o.CredentialID)
	released := 0
	if ok {
		answer, _, err := call("PUT", "Requests/"+id.(string)+"/Checkin", cookie, "", []byte(`{"Reason":"released"}`))
		if err != nil || answer.StatusCode != 204 {
			http.Error(w, "no check-in", 502)
			return
		}
		released = 1
		if kept != nil {
			entry := o.record("closed")
			entry.Request = id.(string)
			audit := entry
			audit.Event, audit.Action = "audit", "release"
			_, _ = kept.add(entry, audit)
		}
	}
	write(w, map[string]any{"released": released, "remaining_holders": 0})
}

func handle(run func(http.ResponseWriter, *operation, string)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var o operation
		if json.NewDecoder(r.Body).Decode(&o) != nil {
			http.Error(w, "bad request", 400)
			return
		}
		cookie, err := signIn(o.Session.User.Domain + `\` + o.Session.User.Username)
		if err != nil {
			http.Error(w, err.Error(), 502)
			return
		}
		run(w, &o, cookie)
	}
}

func main() {
	pem, err := os.ReadFile(os.Getenv("PEER_CA"))
	if err != nil {
		panic(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots},
		MaxIdleConns: 4096, MaxIdleConnsPerHost: 4096}}
	if path := os.Getenv("PEER_JOURNAL"); path != "" {
		if kept, err = openJournal(path); err != nil {
			panic(err)
		}
	}
	http.HandleFunc("/v1/credentials/find", handle(find))
	http.HandleFunc("/v1/credentials/checkout", handle(checkout))
	http.HandleFunc("/v1/credentials/release", handle(release))
	panic(http.ListenAndServe("127.0.0.1:"+os.Getenv("PEER_PORT"), nil))
}
