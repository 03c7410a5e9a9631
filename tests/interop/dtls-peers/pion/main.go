// pion/dtls over one UDP socket: DTLS 1.2.
//
// The command line and the lines that are printed are described in ../src/lib.rs.
package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/dtls/v3/pkg/crypto/elliptic"
)

const srtpLabel = "EXTRACTOR-dtls_srtp"

// One lock, so that no fact lands in the middle of another.
var output sync.Mutex

func say(fact string, value any) {
	output.Lock()
	defer output.Unlock()
	fmt.Println(fact, value)
}

func fingerprint(certificate []byte) string {
	hash := sha256.Sum256(certificate)
	digits := make([]string, len(hash))
	for i, b := range hash {
		digits[i] = fmt.Sprintf("%02X", b)
	}
	return "sha-256 " + strings.Join(digits, ":")
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		say("failed", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) == 0 || arguments[0] != "client" && arguments[0] != "server" {
		return errors.New("the first argument is the role")
	}
	server := arguments[0] == "server"
	flags := flag.NewFlagSet("pion-peer", flag.ContinueOnError)
	remote := flags.String("remote", "", "whom to dial (client)")
	certificatePath := flags.String("cert-pem", "", "certificate")
	keyPath := flags.String("key-pem", "", "key")
	pskIdentity := flags.String("psk-identity", "", "what a client says, and the one that a server knows")
	pskKey := flags.String("psk-key", "", "pre-shared key, instead of a certificate")
	pskHint := flags.String("psk-hint", "", "what a server tells its clients")
	version := flags.String("version", "1.2", "what is on offer")
	groups := flags.String("groups", "x25519,p256,p384", "key exchange groups")
	mtu := flags.Int("mtu", 1200, "the largest datagram")
	cookie := flags.Bool("cookie", false, "as a server: ask for a cookie first")
	if err := flags.Parse(arguments[1:]); err != nil {
		return err
	}
	if *version != "1.2" {
		return errors.New("pion/dtls implements DTLS 1.2")
	}
	var credentials []dtls.Option
	var err error
	if *pskKey == "" {
		credentials, err = withCertificate(*certificatePath, *keyPath)
	} else {
		credentials, err = withPSK(server, *pskIdentity, *pskKey, *pskHint)
	}
	if err != nil {
		return err
	}
	curves, err := curvesOf(*groups)
	if err != nil {
		return err
	}
	options := append(credentials,
		dtls.WithExtendedMasterSecret(dtls.RequireExtendedMasterSecret),
		dtls.WithSRTPProtectionProfiles(
			dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AEAD_AES_256_GCM,
			dtls.SRTP_AES128_CM_HMAC_SHA1_80, dtls.SRTP_AES128_CM_HMAC_SHA1_32,
		),
		dtls.WithEllipticCurves(curves...),
		// Room for the headers of a record and of a fragment, which pion does not count.
		dtls.WithMTU(*mtu-64),
	)
	connection, err := open(server, *remote, *cookie, *pskKey == "", options)
	if err != nil {
		return err
	}
	deadline, cancel := context.WithTimeout(context.Background(), 40*time.Second)
	defer cancel()
	if err := connection.HandshakeContext(deadline); err != nil {
		return err
	}
	if err := announce(connection); err != nil {
		return err
	}
	return converse(connection)
}

func withCertificate(certificatePath, keyPath string) ([]dtls.Option, error) {
	certificate, err := tls.LoadX509KeyPair(certificatePath, keyPath)
	if err != nil {
		return nil, err
	}
	say("fingerprint", fingerprint(certificate.Certificate[0]))
	return []dtls.Option{
		dtls.WithCertificates(certificate),
		// The harness compares fingerprints; here any certificate is accepted.
		dtls.WithInsecureSkipVerify(true),
		dtls.WithVerifyPeerCertificate(func(chain [][]byte, _ [][]*x509.Certificate) error {
			say("peer-fingerprint", fingerprint(chain[0]))
			return nil
		}),
	}, nil
}

func withPSK(server bool, identity, digits, hint string) ([]dtls.Option, error) {
	key, err := hex.DecodeString(digits)
	if err != nil {
		return nil, err
	}
	// What pion calls a hint is on a client the identity.
	said := identity
	if server {
		said = hint
	}
	return []dtls.Option{
		dtls.WithPSK(func(told []byte) ([]byte, error) {
			if server && string(told) != identity {
				return nil, fmt.Errorf("no key of %q", told)
			}
			return key, nil
		}),
		dtls.WithPSKIdentityHint([]byte(said)),
		dtls.WithCipherSuites(dtls.TLS_PSK_WITH_AES_128_CCM_8),
	}, nil
}

func curvesOf(names string) ([]elliptic.Curve, error) {
	known := map[string]elliptic.Curve{"x25519": elliptic.X25519, "p256": elliptic.P256, "p384": elliptic.P384}
	var curves []elliptic.Curve
	for _, name := range strings.Split(names, ",") {
		curve, ok := known[name]
		if !ok {
			return nil, fmt.Errorf("no group %s", name)
		}
		curves = append(curves, curve)
	}
	return curves, nil
}

func open(server bool, remote string, cookie, certificates bool, options []dtls.Option) (*dtls.Conn, error) {
	if !server {
		address, err := net.ResolveUDPAddr("udp4", remote)
		if err != nil {
			return nil, err
		}
		var clientOptions []dtls.ClientOption
		for _, option := range options {
			clientOptions = append(clientOptions, option)
		}
		return dtls.DialWithOptions("udp4", address, clientOptions...)
	}
	serverOptions := []dtls.ServerOption{dtls.WithInsecureSkipVerifyHello(!cookie)}
	if certificates {
		serverOptions = append(serverOptions, dtls.WithClientAuth(dtls.RequireAnyClientCert))
	}
	for _, option := range options {
		serverOptions = append(serverOptions, option)
	}
	loopback := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}
	listener, err := dtls.ListenWithOptions("udp4", loopback, serverOptions...)
	if err != nil {
		return nil, err
	}
	say("listening", listener.Addr())
	accepted, err := listener.Accept()
	if err != nil {
		return nil, err
	}
	connection, ok := accepted.(*dtls.Conn)
	if !ok {
		return nil, errors.New("the listener accepts something else")
	}
	return connection, nil
}

func announce(connection *dtls.Conn) error {
	state, ok := connection.ConnectionState()
	if !ok {
		return errors.New("connected, and no state")
	}
	say("connected", "DTLS1.2 "+dtls.CipherSuiteName(state.CipherSuiteID))
	profile, ok := connection.SelectedSRTPProtectionProfile()
	if !ok {
		say("srtp-profile", "none")
		return nil
	}
	say("srtp-profile", uint16(profile))
	length := 2 * (16 + 14)
	switch profile {
	case dtls.SRTP_AEAD_AES_128_GCM:
		length = 2 * (16 + 12)
	case dtls.SRTP_AEAD_AES_256_GCM:
		length = 2 * (32 + 12)
	}
	keys, err := state.ExportKeyingMaterial(srtpLabel, nil, length)
	if err != nil {
		return err
	}
	say("keying-material", fmt.Sprintf("%X", keys))
	return nil
}

func converse(connection *dtls.Conn) error {
	var closing atomic.Bool
	closed := make(chan struct{})
	go func() {
		lines := bufio.NewScanner(os.Stdin)
		for lines.Scan() {
			if text, ok := strings.CutPrefix(lines.Text(), "send "); ok {
				if _, err := connection.Write([]byte(text)); err != nil {
					say("failed", err)
				}
			} else if lines.Text() == "close" {
				closing.Store(true)
				if err := connection.Close(); err != nil {
					say("failed", err)
				}
				close(closed)
				return
			} else {
				say("failed", "unknown command "+lines.Text())
			}
		}
	}()
	buffer := make([]byte, 2048)
	for {
		length, err := connection.Read(buffer)
		switch {
		case err == nil:
			say("data", string(buffer[:length]))
		case closing.Load():
			// Read fails before Close has sent the close_notify, and the end of this process would lose it.
			<-closed
			say("closed", "Us")
			return nil
		case errors.Is(err, io.EOF):
			say("closed", "Peer")
			return nil
		default:
			return err
		}
	}
}
