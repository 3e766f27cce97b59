// Writes what Go and robfig/cron make of the zones of the tz database:
//
//	ZONEINFO=DIR golden zones      one line a zone: its name, and a hash of offsets and of instants of local times from 1970 to 2060
//	ZONEINFO=DIR golden schedules  lines "zone | schedule | from | the next five times"
//
// DIR holds the database as zic wrote it: zic -b slim -d DIR tzdata.zi.
package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

func zones(root string) []string {
	var names []string
	filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			name, _ := filepath.Rel(root, path)
			names = append(names, name)
		}
		return nil
	})
	sort.Strings(names)
	return names
}

func mix(hash uint64, value int64) uint64 {
	for i := 0; i < 8; i++ {
		hash = (hash ^ uint64(byte(value>>(8*i)))) * 0x100000001b3
	}
	return hash
}

func main() {
	root := os.Getenv("ZONEINFO")
	if os.Args[1] == "zones" {
		for _, name := range zones(root) {
			loc, err := time.LoadLocation(name)
			if err != nil {
				panic(err)
			}
			hash := uint64(0xcbf29ce484222325)
			const step = 5*86400 + 3*3600 + 1234
			for t := int64(0); t < 90*365*86400; t += step {
				at := time.Unix(t, 0).In(loc)
				_, offset := at.Zone()
				hash = mix(hash, int64(offset))
			}
			for year := 1970; year < 2060; year++ {
				for month := 1; month <= 12; month++ {
					for day := 1; day <= 31; day += 1 + (year+month)%3 {
						hash = mix(hash, time.Date(year, time.Month(month), day, (year+day)%5, 30, 0, 0, loc).Unix())
					}
				}
			}
			fmt.Printf("%s %016x\n", name, hash)
		}
		return
	}
	type pick struct{ zone, from string }
	picks := []pick{
		{"Europe/Berlin", "2026-03-28T20:00:00Z"}, {"Europe/Berlin", "2026-10-24T20:00:00Z"},
		{"America/New_York", "2026-03-08T03:00:00Z"}, {"America/New_York", "2026-11-01T03:00:00Z"},
		{"America/Sao_Paulo", "2018-11-03T20:00:00Z"}, {"America/Sao_Paulo", "2018-02-17T20:00:00Z"},
		{"Australia/Lord_Howe", "2026-10-03T12:00:00Z"}, {"Australia/Lord_Howe", "2026-04-04T12:00:00Z"},
		{"Africa/Casablanca", "2026-02-14T22:00:00Z"}, {"Africa/Casablanca", "2026-03-21T22:00:00Z"},
		{"Asia/Beirut", "2026-03-28T18:00:00Z"}, {"Asia/Kolkata", "2026-01-01T00:00:00Z"},
		{"Asia/Tehran", "2022-03-21T18:00:00Z"}, {"Europe/Dublin", "2026-03-28T20:00:00Z"},
		{"America/Scoresbysund", "2026-03-28T20:00:00Z"},
		{"Etc/GMT+5", "2026-01-01T00:00:00Z"}, {"UTC", "2026-02-27T23:59:59Z"}, {"Antarctica/Troll", "2026-03-28T20:00:00Z"},
		{"Asia/Gaza", "2040-03-16T12:00:00Z"}, {"Africa/Cairo", "2026-04-23T12:00:00Z"}, {"Europe/London", "2060-03-27T12:00:00Z"},
	}
	specs := []string{"*/15 * * * *", "30 * * * *", "30 2 * * *", "30 1 * * *", "0 2 * * *", "15 0 * * *", "0 0 * * *", "0 3 * * 0", "0 0 1 * *", "5 4 29 2 *",
		"0 1-3 * * *", "*/20 1,2 * * 6,0", "0 0 31 * *", "59 23 * * *", "30 6-16/4 * * 1-5", "@hourly", "@daily", "@weekly", "@monthly", "@yearly", "@every 90m", "0 2 30 3 1"}
	for _, p := range picks {
		from, err := time.Parse(time.RFC3339, p.from)
		if err != nil {
			panic(err)
		}
		for _, spec := range specs {
			schedule, err := cron.ParseStandard("TZ=" + p.zone + " " + spec)
			if err != nil {
				panic(err)
			}
			var out []string
			for t, i := schedule.Next(from), 0; i < 5 && !t.IsZero(); t, i = schedule.Next(t), i+1 {
				out = append(out, t.UTC().Format("2006-01-02T15:04:05Z"))
			}
			fmt.Printf("%s | %s | %s | %s\n", p.zone, spec, p.from, strings.Join(out, " "))
		}
	}
}
