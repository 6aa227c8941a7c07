"""wechatpy, told what to do by one JSON document a line on stdin; one answer a line on stdout.

Its addresses are literals, so they are pointed at the sandbox: the API base by its attribute, the fetch by an override, as its
own documentation says to do. Everything else is the library's: sessions, retries, what it makes of an answer.
"""
import json
import subprocess
import sys
import time

try:
    from wechatpy.work import WeChatClient as Work
except ImportError:  # 1.8
    from wechatpy.enterprise import WeChatClient as Work
from wechatpy import WeChatClient as Official
from wechatpy.exceptions import WeChatClientException

sys.setrecursionlimit(250)
clients = {}
fetches = 0


def work(do):
    class Client(Work):
        API_BASE_URL = do["base"] + "/"

        def fetch_access_token(self):
            global fetches
            fetches += 1
            return self._fetch_access_token(do["base"] + "/gettoken", {"corpid": self.corp_id, "corpsecret": self.secret})

    return Client(do["corpid"], do["secret"], access_token=do.get("token"), timeout=20)


def shim(do):
    """What a user of pairdeck writes: the one method that fetches asks pairdeck, and says which token was refused."""

    class Client(Work):
        API_BASE_URL = do["base"] + "/"

        def fetch_access_token(self):
            global fetches
            fetches += 1
            had = self.session.get(self.access_token_key)
            command = [do["program"], "--home", do["home"], "token", do["name"], "--format", "json"]
            ran = subprocess.run(command + (["--rejected", "-"] if had else []), input=had or "", capture_output=True, text=True)
            if ran.returncode:
                raise WeChatClientException(ran.returncode, ran.stderr.strip(), client=self)
            doc = json.loads(ran.stdout)
            self.session.set(self.access_token_key, doc["token"], doc["expires_in"])
            self.expires_at = int(time.time()) + doc["expires_in"]
            return doc

    return Client(do["corpid"], "the library knows no secret", timeout=20)


def stored(do):
    """The library's own Redis storage, and no secret worth anything but for the name of its key: it must never fetch."""
    import redis
    from wechatpy.session.redisstorage import RedisStorage

    class Client(Work):
        API_BASE_URL = do["base"] + "/"

        def fetch_access_token(self):
            global fetches
            fetches += 1
            raise WeChatClientException(-1, "the library fetches by itself", client=self)

    return Client(do["corpid"], do["secret"], session=RedisStorage(redis.Redis.from_url(do["redis"]), do["prefix"]), timeout=20)


def official(do):
    class Client(Official):
        API_BASE_URL = do["base"] + "/"

        def fetch_access_token(self):
            global fetches
            fetches += 1
            params = {"grant_type": "client_credential", "appid": self.appid, "secret": self.secret}
            return self._fetch_access_token(do["base"] + "/token", params)

    return Client(do["appid"], do["secret"], access_token=do.get("token"), timeout=20)


def act(do):
    what = do["do"]
    if what == "work":
        clients["now"] = work(do)
        return "made"
    if what in ("shim", "stored"):
        clients["now"] = {"shim": shim, "stored": stored}[what](do)
        return "made"
    if what == "official":
        clients["now"] = official(do)
        return "made"
    client = clients["now"]
    if what == "send":
        return client.message.send_text(do["agentid"], do["to"], do["text"])
    if what == "custom":
        return client.message.send_text(do["to"], do["text"])
    if what == "ips":
        return client.misc.get_wechat_ips()
    if what == "agent":
        return client.agent.get(do["agentid"])
    if what == "token":
        return client.access_token
    raise ValueError(what)


print(json.dumps({"ready": True}), flush=True)
for line in sys.stdin:
    before = fetches
    try:
        out = {"ok": act(json.loads(line))}
    except WeChatClientException as e:
        out = {"errcode": e.errcode, "errmsg": e.errmsg}
    except RecursionError:
        out = {"error": "RecursionError"}
    except Exception as e:  # what the library lets through
        out = {"error": type(e).__name__}
    out["fetches"] = fetches - before
    print(json.dumps(out), flush=True)
