package collect_test

import (
	"context"
	"fmt"
	"time"

	"github.com/vitals-rpc/vitals/agent/collect"
	"github.com/vitals-rpc/vitals/metric"
)

// One round by hand: what an agent would send.
func ExampleCollector_Collect() {
	ctx := context.Background()
	c := collect.New(collect.Options{Host: "web-1"})
	c.Prime(ctx)
	time.Sleep(100 * time.Millisecond)
	for _, sample := range c.Collect(ctx) {
		if sample.Series.Type == metric.Memory {
			fmt.Println(sample.Series, sample.Value > 0)
		}
	}
	// Output: memory{hostname="web-1"} true
}

// A round a second, until there were two.
func ExampleCollector_Run() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	rounds := 0
	c := collect.New(collect.Options{Host: "web-1"})
	err := c.Run(ctx, time.Second, func(samples []metric.Sample) {
		if rounds++; rounds == 2 {
			cancel()
		}
	})
	fmt.Println(rounds, err)
	// Output: 2 <nil>
}
