package rest

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A certificate that no client would accept is refused at once, with what to do.
func TestCertificatesThatCannotBeUsedAreRefused(t *testing.T) {
	now := time.Now()
	cert, key, _ := certificate(t)
	_, otherKey, _ := certificate(t)
	old, oldKey, _ := certificateFor(t, now.Add(-2*time.Hour), now.Add(-time.Hour))
	early, earlyKey, _ := certificateFor(t, now.Add(time.Hour), now.Add(2*time.Hour))
	text := filepath.Join(t.TempDir(), "text.pem")
	require.NoError(t, os.WriteFile(text, []byte("no PEM"), 0o600))
	pair := "; name a certificate by --tls-cert, and by --tls-key the key that belongs to it, both in PEM and without a passphrase"
	cases := map[string]struct{ cert, key, want, remedy string }{
		"no key":               {cert, "", "a certificate and its key belong together", "set both --tls-cert and --tls-key"},
		"no certificate":       {"", key, "a certificate and its key belong together", "set both --tls-cert and --tls-key"},
		"a missing file":       {"nope.pem", key, "read certificate: open nope.pem: ", "; name a PEM file by --tls-cert"},
		"a missing key":        {cert, "nope.pem", "read key of the certificate: open nope.pem: ", "; name a PEM file by --tls-key"},
		"a directory":          {t.TempDir(), key, "read certificate: ", "; name a PEM file by --tls-cert"},
		"another key":          {cert, otherKey, "private key does not match public key", pair},
		"a key and a key":      {key, key, "read certificate " + key + " and key " + key, pair},
		"swapped":              {key, cert, "read certificate " + key + " and key " + cert, pair},
		"no PEM":               {text, key, "failed to find any PEM data in certificate input", pair},
		"no PEM in the key":    {cert, text, "failed to find any PEM data in key input", pair},
		"an old certificate":   {old, oldKey, "the certificate " + old + " has expired on ", "; renew it"},
		"an early certificate": {early, earlyKey, "the certificate " + early + " is not valid before ", "; check the clock of this machine, or use another one"},
	}
	if runtime.GOOS != "windows" && os.Getuid() != 0 {
		closed := filepath.Join(t.TempDir(), "closed.pem")
		require.NoError(t, os.WriteFile(closed, nil, 0))
		cases["a closed file"] = struct{ cert, key, want, remedy string }{cert, closed, "read key of the certificate: open " + closed, "; let the user that runs the server read the file"}
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := tlsConfig(Options{CertFile: c.cert, KeyFile: c.key})
			require.ErrorContains(t, err, "normsync: serve: ")
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, c.remedy)
		})
	}
	config, err := tlsConfig(Options{CertFile: cert, KeyFile: key})
	require.NoError(t, err)
	require.Len(t, config.Certificates, 1)
}
