package secret

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestVaultTimeout: a request ends without a context that ends.
func TestVaultTimeout(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	t.Cleanup(srv.Close)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "token"), []byte("t"), 0o600); err != nil {
		t.Fatal(err)
	}
	store, err := openVault(storeConfig{Location: srv.URL, Mount: "kv", TokenFile: "token"}, dir)
	if err != nil {
		t.Fatal(err)
	}
	s, ok := store.(*vaultStore)
	if !ok || s.client.Timeout != vaultTimeout {
		t.Fatalf("store = %T, want one with a time limit", store)
	}
	s.client.Timeout = 50 * time.Millisecond
	if v, err := s.Get(t.Context(), "db"); v != nil || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Get = %v, %v, want context.DeadlineExceeded", v, err)
	}
}
