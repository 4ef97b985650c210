import pytest, time
from tests import endpoints as e
from tests.endpoints import *
PLAYS = dict(
 html200=web_page(), html404=web_page(404), json404=refusal(404,"The model `some-model` does not exist", code="model_not_found"),
 detail404=answer(404, {"detail":"Not Found"}), plain404=answer(404,"404 page not found","text/plain"),
 empty=answer(), r301=answer(301, b"", Location="/v2/chat/completions"), r301abs=answer(301,b"",Location="http://127.0.0.1:9/x"), r307=answer(307,b"",Location="/login"),
 a401=refusal(401,"Incorrect API key provided"), a402=refusal(402,"Payment required"), a403=refusal(403,"no access"), a403html=web_page(403),
 a404=answer(404), a429=refusal(429,"Rate limit reached for requests per min",retry_after=7), a500=refusal(500,"boom"), a503=refusal(503,"overloaded"), a529=refusal(529,"Overloaded",type="overloaded_error"), a500h=web_page(502), a500e=answer(500),
 garbage=sends(b"SSH-2.0-OpenSSH_9.6\r\n"), garbage2=sends(b"\x00\x01\x02\xff\xfe"*10), closes=sends(),
 short=sends(head(Content_Length=1000)+b'{"id": "x", "choi'),
 sse=answer(200, 'data: {"id":"1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant","content":"Hel"}}]}\n\n', SSE),
 ssecut=sends(head(200,SSE,Transfer_Encoding="chunked")+b'20\r\ndata: {"id":"1",'),
 json_cut=answer(200,'{"id": "x", "choices": [{"mess'),
 hang=hangs(), hanghead=hangs(head(Content_Length=100)), hangbody=hangs(head(Content_Length=100)+b'{"id'),
 dripbody=drips(head(Content_Length=100000), b" "), driphead=drips(b"HTTP/1.1 200 OK\r\nX-A: ", b"a"), dripheads=drips(b"HTTP/1.1 200 OK\r\n", b"X-A: a\r\n"),
 error200=answer(200,{"error":{"message":"upstream is down","code":503}}), null=answer(200,"null"), list=answer(200,"[]"), nochoices=answer(200,{"id":"x"}),text=answer(200,"OK","text/plain"),
)
@pytest.mark.parametrize("name", list(PLAYS))
def test_x(compat, name, monkeypatch):
    monkeypatch.setenv("FAKE_KEY","sk-fake-fake-fake-1234")
    with Endpoint(PLAYS[name]) as ep:
        t=time.time()
        r = compat("--llm-model=openai/some-model", f"--llm-base-url={ep.base_url}", "--llm-api-key-env=FAKE_KEY", "--llm-timeout=2")
        p = r.run.profiles[0]
        c = next((c for c in p.checks if c.diagnosis), None)
        with open("/tmp/out.txt","a") as f:
            print(f"{name:10} ret={r.ret} {p.verdict} calls={p.usage.llm_calls} reqs={[q.method+q.path for q in ep.requests]} {time.time()-t:.1f}s tb={'Traceback' in r.output}", file=f)
            if c: print("    ", c.stage, c.diagnosis.kind, c.diagnosis.rule, "|", c.diagnosis.summary, "->", c.diagnosis.next_step,"\n        ", c.diagnosis.evidence, file=f)
