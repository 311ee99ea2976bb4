package collect
import ("testing";"context";"time";"fmt")
func TestSmoke(t *testing.T){ c:=New(Options{}); c.Prime(context.Background()); time.Sleep(300*time.Millisecond)
 for _,s:=range c.Collect(context.Background()) { fmt.Println(s.Series, s.Value) } }
