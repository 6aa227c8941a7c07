// A worker as people run them: gotd's client. It reads one JSON command a line from stdin and writes one JSON event a line to
// stdout. The tests are in tests/interop_gotd.rs.
package main

import (
	"bufio"
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/gotd/td/session"
	"github.com/gotd/td/telegram"
	"github.com/gotd/td/telegram/auth"
	"github.com/gotd/td/telegram/auth/qrlogin"
	"github.com/gotd/td/telegram/dcs"
	"github.com/gotd/td/tg"
	"github.com/gotd/td/tgerr"
	"github.com/gotd/td/transport"
)

type setup struct {
	DCs       map[string]string `json:"dcs"`
	DC        int               `json:"dc"`
	Key       string            `json:"key"`
	APIID     int               `json:"api_id"`
	APIHash   string            `json:"api_hash"`
	Session   string            `json:"session"`
	Transport string            `json:"transport"`
}

type command struct {
	Do       string `json:"do"`
	Password string `json:"password"`
	Phone    string `json:"phone"`
	Code     string `json:"code"`
	Token    string `json:"token"`
	Hash     string `json:"hash"`
}

var out sync.Mutex

func say(what string, more map[string]any) {
	m := map[string]any{"what": what}
	for k, v := range more {
		m[k] = v
	}
	out.Lock()
	defer out.Unlock()
	_ = json.NewEncoder(os.Stdout).Encode(m)
}

// failed says an error by the API's name, where it has one.
func failed(err error) {
	if e, ok := tgerr.As(err); ok {
		say("error", map[string]any{"code": e.Code, "name": e.Message})
		return
	}
	if errors.Is(err, auth.ErrPasswordInvalid) {
		say("error", map[string]any{"code": 400, "name": "PASSWORD_HASH_INVALID"})
		return
	}
	say("error", map[string]any{"code": 0, "name": err.Error()})
}

func options(s setup) (telegram.Options, error) {
	block, _ := pem.Decode([]byte(s.Key))
	if block == nil {
		return telegram.Options{}, errors.New("no PEM")
	}
	key, err := x509.ParsePKCS1PublicKey(block.Bytes)
	if err != nil {
		return telegram.Options{}, err
	}
	var list dcs.List
	for id, at := range s.DCs {
		host, port, err := net.SplitHostPort(at)
		if err != nil {
			return telegram.Options{}, err
		}
		n, _ := strconv.Atoi(id)
		p, _ := strconv.Atoi(port)
		list.Options = append(list.Options, tg.DCOption{ID: n, IPAddress: host, Port: p})
	}
	plain := dcs.PlainOptions{}
	switch s.Transport {
	case "full":
		plain.Protocol = transport.Full
	case "abridged":
		plain.Protocol = transport.Abridged
	case "padded":
		plain.Protocol = transport.PaddedIntermediate
	case "obfuscated":
		plain.Protocol = transport.Intermediate
		plain.Obfuscated = true
	default:
		plain.Protocol = transport.Intermediate
	}
	return telegram.Options{
		PublicKeys:     []telegram.PublicKey{{RSA: (*rsa.PublicKey)(key)}},
		DC:             s.DC,
		DCList:         list,
		Resolver:       dcs.Plain(plain),
		SessionStorage: &session.FileStorage{Path: s.Session},
		DialTimeout:    10 * time.Second,
		Device:         telegram.DeviceConfig{DeviceModel: "gotd worker"},
	}, nil
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(make([]byte, 1<<16), 1<<20)
	if !in.Scan() {
		return
	}
	var s setup
	if err := json.Unmarshal(in.Bytes(), &s); err != nil {
		failed(err)
		return
	}
	opts, err := options(s)
	if err != nil {
		failed(err)
		return
	}
	dispatcher := tg.NewUpdateDispatcher()
	opts.UpdateHandler = dispatcher
	opts.OnSelfError = func(_ context.Context, err error) error {
		if auth.IsUnauthorized(err) {
			return nil
		}
		return err
	}
	loggedIn := qrlogin.OnLoginToken(dispatcher)
	client := telegram.NewClient(s.APIID, s.APIHash, opts)
	err = client.Run(context.Background(), func(ctx context.Context) error {
		say("ready", nil)
		lines := make(chan command)
		go func() {
			defer close(lines)
			for in.Scan() {
				var c command
				if json.Unmarshal(in.Bytes(), &c) == nil {
					lines <- c
				}
				if c.Do == "die" {
					// What follows is for the process that is started in this one's place, which reads the same pipe.
					return
				}
			}
		}()
		for {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case c, ok := <-lines:
				if !ok || c.Do == "end" {
					return nil
				}
				if c.Do == "die" {
					// As a worker that gives up at the first error of the API.
					_, err := client.Self(ctx)
					return err
				}
				do(ctx, client, s, c, loggedIn)
			}
		}
	})
	if err != nil {
		// What Run returns is what a worker's log ends with.
		if e, ok := tgerr.As(err); ok {
			say("died", map[string]any{"code": e.Code, "name": e.Message})
		} else {
			say("died", map[string]any{"code": 0, "name": err.Error()})
		}
		os.Exit(1)
	}
	say("ended", nil)
}

func do(ctx context.Context, client *telegram.Client, s setup, c command, loggedIn qrlogin.LoggedIn) {
	ctx, cancel := context.WithTimeout(ctx, 60*time.Second)
	defer cancel()
	api := client.API()
	var err error
	switch c.Do {
	case "self":
		var u *tg.User
		if u, err = client.Self(ctx); err == nil {
			say("self", map[string]any{"id": u.ID, "name": u.FirstName, "bot": u.Bot})
		}
	case "qr":
		qr := client.QR()
		_, err = qr.Auth(ctx, loggedIn, func(_ context.Context, t qrlogin.Token) error {
			say("token", map[string]any{"url": t.URL(), "expires": t.Expires().Unix()})
			return nil
		})
		if err == nil {
			say("in", nil)
		}
	case "password":
		if _, err = client.Auth().Password(ctx, c.Password); err == nil {
			say("in", nil)
		}
	case "phone":
		var sent tg.AuthSentCodeClass
		if sent, err = client.Auth().SendCode(ctx, c.Phone, auth.SendCodeOptions{}); err == nil {
			say("sent", map[string]any{"hash": sent.(*tg.AuthSentCode).PhoneCodeHash})
		}
	case "code":
		if _, err = client.Auth().SignIn(ctx, c.Phone, c.Code, c.Hash); err == nil {
			say("in", nil)
		} else if errors.Is(err, auth.ErrPasswordAuthNeeded) {
			err = nil
			say("error", map[string]any{"code": 401, "name": "SESSION_PASSWORD_NEEDED"})
		}
	case "bot":
		if _, err = client.Auth().Bot(ctx, c.Token); err == nil {
			say("in", nil)
		}
	case "accept":
		var a *tg.Authorization
		t, perr := qrlogin.ParseTokenURL(c.Token)
		if perr != nil {
			err = perr
			break
		}
		if a, err = qrlogin.AcceptQR(ctx, api, t); err == nil {
			say("accepted", map[string]any{"hash": fmt.Sprint(a.Hash), "device": a.DeviceModel, "pending": a.PasswordPending})
		}
	case "devices":
		var all *tg.AccountAuthorizations
		if all, err = api.AccountGetAuthorizations(ctx); err == nil {
			rows := []map[string]any{}
			for _, a := range all.Authorizations {
				rows = append(rows, map[string]any{"hash": fmt.Sprint(a.Hash), "device": a.DeviceModel, "current": a.Current, "app": a.AppName})
			}
			say("devices", map[string]any{"rows": rows, "ttl": all.AuthorizationTTLDays})
		}
	case "reset":
		h, _ := strconv.ParseInt(c.Hash, 10, 64)
		if _, err = api.AccountResetAuthorization(ctx, h); err == nil {
			say("reset", nil)
		}
	case "reset_others":
		if _, err = api.AuthResetAuthorizations(ctx); err == nil {
			say("reset", nil)
		}
	case "logout":
		if _, err = api.AuthLogOut(ctx); err == nil {
			say("out", nil)
		}
	default:
		err = errors.New("unknown command")
	}
	if err != nil {
		failed(err)
	}
}
