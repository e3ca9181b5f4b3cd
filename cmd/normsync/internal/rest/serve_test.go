package rest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// certificate writes a certificate for 127.0.0.1 and its key into files.
func certificate(t *testing.T) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	return certificateFor(t, time.Time{}, time.Now().Add(time.Hour))
}

func certificateFor(t *testing.T, from, until time.Time) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: from, NotAfter: until, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	require.NoError(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	require.NoError(t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600))
	pool = x509.NewCertPool()
	parsed, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	pool.AddCert(parsed)
	return cert, key, pool
}

func TestServeHTTPS(t *testing.T) {
	cert, key, pool := certificate(t)
	w := open(t, "", Options{CertFile: cert, KeyFile: key, Token: "t"})
	require.True(t, strings.HasPrefix(w.url, "https://127.0.0.1:"), w.url)
	for _, version := range []int{1, 2} {
		w.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: version == 2}}
		w.object("POST", "/norm", peace)
		resp, _ := w.do("GET", "/health", "")
		require.Equal(t, version, resp.ProtoMajor)

		s := w.batch() // streams work in both versions
		s.send(attack + "\n")
		require.Equal(t, false, s.next()["allowed"])
		require.NoError(t, s.in.Close())
		require.False(t, s.out.Scan())

		l := w.listen("?after=0-0")
		_, name, _ := l.next()
		require.Equal(t, "revision", name)
		l.cancel()
		w.client.CloseIdleConnections()
	}
	require.NoError(t, w.stop())

	w = open(t, "", Options{CertFile: cert, KeyFile: key})
	w.client = &http.Client{}
	_, err := w.client.Get(w.url + "/health")
	require.ErrorContains(t, err, "certificate", "the client does not trust it")
}
