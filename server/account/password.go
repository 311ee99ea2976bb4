package account

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

// Argon2id's parameters, of RFC 9106 and OWASP's second choice: 19 MiB, two
// passes. They are in each hash, so that later ones may be others.
const (
	argonMemory  = 19 << 10 // KiB
	argonTime    = 2
	argonThreads = 1
	argonKey     = 32
	argonSalt    = 16
)

// leastPassword and mostPassword bound a password's length.
const (
	leastPassword = 10
	mostPassword  = 1024
)

// passwordSlots is how many passwords are hashed at once: each takes 19 MiB and
// a processor.
const passwordSlots = 2

func checkPassword(password string) error {
	switch {
	case utf8.RuneCountInString(password) < leastPassword:
		return invalidf("a password needs %d characters or more", leastPassword)
	case len(password) > mostPassword:
		return invalidf("a password has %d bytes at most", mostPassword)
	}
	return nil
}

// hashPassword returns the hash in PHC form.
func hashPassword(password string) string {
	salt := make([]byte, argonSalt)
	_, _ = rand.Read(salt) // it never fails
	key := argon2.IDKey([]byte(password), salt, argonTime, argonMemory, argonThreads, argonKey)
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemory, argonTime, argonThreads, b64.EncodeToString(salt), b64.EncodeToString(key))
}

// matches reports whether the password has that hash. A hash that cannot be
// read matches nothing.
func matches(password, phc string) bool {
	parts := strings.Split(phc, "$")
	if len(parts) != 6 || parts[1] != "argon2id" {
		return false
	}
	var version int
	var memory, passes uint32
	var threads uint8
	if _, err := fmt.Sscanf(parts[2], "v=%d", &version); err != nil || version != argon2.Version {
		return false
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &memory, &passes, &threads); err != nil {
		return false
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[4])
	if err != nil {
		return false
	}
	want, err := base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil || memory > 1<<20 || passes == 0 || passes > 20 || threads == 0 || len(want) == 0 || len(want) > 128 {
		return false
	}
	got := argon2.IDKey([]byte(password), salt, passes, memory, threads, uint32(len(want)))
	return subtle.ConstantTimeCompare(got, want) == 1
}
