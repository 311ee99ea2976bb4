package main

import (
	"context"

	"github.com/vitals-rpc/vitals/server/account/sqlite"
	"github.com/vitals-rpc/vitals/server/store"
)

// accountsRoom is what accounts need on the disk to be opened or made: the file, its
// journal and the index of that.
const accountsRoom = 256 << 10

// openAccounts opens the accounts in a data folder, which it makes where there is
// none. They are the first that is opened there, so what is wrong with the folder is
// said here, with what to do.
func openAccounts(ctx context.Context, dir string) (*sqlite.Store, error) {
	if err := store.Prepare(dir, 0); err != nil {
		return nil, err
	}
	accounts, err := sqlite.Open(ctx, dir)
	if err != nil {
		// SQLite's word for a full disk tells little; without room history would
		// still open, to be read.
		if full := store.Prepare(dir, accountsRoom); full != nil {
			return nil, full
		}
		return nil, err
	}
	return accounts, nil
}
