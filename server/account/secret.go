package account

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"hash/crc32"
	"slices"
	"strings"
)

// Kind is what a token is for.
type Kind string

// The kinds of token.
const (
	// UserToken is a user's, for programs that call in the user's name.
	UserToken Kind = "user"
	// AgentToken is an agent's, bound to a host.
	AgentToken Kind = "agent"
	// EnrolmentToken is a fleet's: it gives agents tokens of their own.
	EnrolmentToken Kind = "enrol"
	// SessionToken is of someone who signed in.
	SessionToken Kind = "session"
)

var kinds = []Kind{UserToken, AgentToken, EnrolmentToken, SessionToken}

// The form of a secret: vitals_KIND_BODY, where the body is 256 random bits and
// the CRC-32 (IEEE) of all before it, both in base32 of lower case. The prefix
// and the checksum let secret scanners find one that has leaked into a
// repository or a log, and tell it from what only looks like one:
//
//	vitals_(user|agent|enrol|session)_[a-z2-7]{59}
const (
	secretPrefix   = "vitals_"
	secretBytes    = 32
	randomLength   = 52
	checksumLength = 7
)

var secretEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Secret is the text of a token, which whoever has it may use. It does not
// show itself when printed; Reveal does.
type Secret struct{ text string }

// NewSecret makes a random secret.
func NewSecret(kind Kind) Secret {
	var random [secretBytes]byte
	_, _ = rand.Read(random[:]) // it never fails
	head := secretPrefix + string(kind) + "_" + secretEncoding.EncodeToString(random[:])
	return Secret{head + checksum(head)}
}

func checksum(head string) string {
	sum := checksumOf(head)
	return string(sum[:])
}

func checksumOf(head string) (text [checksumLength]byte) {
	var sum [4]byte
	binary.BigEndian.PutUint32(sum[:], crc32.ChecksumIEEE([]byte(head)))
	secretEncoding.Encode(text[:], sum[:])
	return text
}

// ParseSecret reads a secret. One that was mistyped or cut short is told from
// one that is not known.
//
// Errors: *[TokenError], without the text.
func ParseSecret(text string) (Secret, error) {
	rest, ok := strings.CutPrefix(text, secretPrefix)
	kind, body, found := strings.Cut(rest, "_")
	if !ok || !found || !slices.Contains(kinds, Kind(kind)) {
		return Secret{}, tokenErrorf("that is no token of Vitals: they begin with vitals_user_, vitals_agent_, vitals_enrol_ or vitals_session_")
	}
	if len(body) != randomLength+checksumLength || !hasChecksum(text) {
		return Secret{}, tokenErrorf("the token was mistyped or cut short: its checksum is wrong")
	}
	return Secret{text}, nil
}

func hasChecksum(text string) bool {
	sum := checksumOf(text[:len(text)-checksumLength])
	return string(sum[:]) == text[len(text)-checksumLength:]
}

// Kind is what the token is for.
func (s Secret) Kind() Kind {
	kind, _, _ := strings.Cut(strings.TrimPrefix(s.text, secretPrefix), "_")
	return Kind(kind)
}

// Reveal returns the text. It belongs into the answer to whoever asked for the
// token, and nowhere else.
func (s Secret) Reveal() string { return s.text }

// String hides the text, so that no log has it by mistake.
func (s Secret) String() string { return secretPrefix + string(s.Kind()) + "_…" }

// GoString hides the text from %#v too.
func (s Secret) GoString() string { return s.String() }

// Hash is what is kept of a secret. It needs no salt: 256 random bits cannot be
// guessed.
type Hash [sha256.Size]byte

// Hash returns the secret's hash.
func (s Secret) Hash() Hash { return sha256.Sum256([]byte(s.text)) }
