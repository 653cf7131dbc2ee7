"""The pages as people meet them: in a browser, with a mouse, with keys alone, without scripts, by a screen reader."""

from __future__ import annotations

import html
import json
import re
from urllib.parse import urlencode

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.console.scene import NASTY, SCRIPT, Scene

# The first test may have to wait for a Chromium to be installed.
pytestmark = pytest.mark.timeout(600)

PAGES = {
    "/": "Overview",
    "/console/events": "Events",
    "/console/events?type=order.shipped&since=2025-01-01T00:00:00Z": "Events",
    "/console/events?" + urlencode({"subject": NASTY}): "Events",
    "/console/events?subject=nobody": "Events",
    "/console/commands": "Commands",
    "/console/commands?state=parked": "Commands",
    "/console/commands?state=cancelled": "Commands",
    "/console/redrive?rule=large-order": "Send parked commands again",
    "/console/redrive?rule=nothing": "Send parked commands again",
    "/console/cancel?state=retrying": "Cancel commands",
    "/console/cancel?state=pending": "Cancel commands",
    "/console/expire?state=parked": "Let commands expire",
    "/console/targets": "Targets",
    "/console/targets/pause?name=log": "Pause: target log",
    "/console/keys": "Blocked keys",
    "/console/keys/skip?key=nuts": "Leave out: key nuts",
    "/console/keys/unpark?key=nuts": "Evaluate again: key nuts",
    "/console/projections": "Projections",
    "/console/projections/orders?status=open&total__gt=100&sort=-total": "Projection orders",
    "/console/projections/orders?status=lost": "Projection orders",
    "/console/projections/customers?" + urlencode({"key": SCRIPT}): "Projection customers",
    "/console/projections/row?name=orders&key=A1": "orders A1",
    "/console/projections/row?" + urlencode({"name": "orders", "key": NASTY}): "orders a/../b",
    "/console/rules": "Rules",
    "/console/rules/one?name=abroad": "Rule abroad",
    "/console/rules/one?name=stock": "Rule stock",
    "/console/dry-run": "Dry run",
    "/console/trace": "Trace",
    "/console/trace?id=o33": "Trace",
    "/console/trace?" + urlencode({"id": NASTY}): "Trace",
    "/console/health": "Health",
}

ALL = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
_LINK = re.compile(r'<a [^>]*href="([^"]*)"')


def refreshed(page: Page, times: int = 1) -> None:
    """Waits until the page has asked for itself again and shows what it got."""
    for _ in range(times):
        with page.expect_response(lambda answer: answer.request.headers.get("hx-request") == "true"):
            page.evaluate("document.getElementById('live').dispatchEvent(new Event('refresh'))")
        page.wait_for_function("() => !document.querySelector('.htmx-request')")


# ---------------------------------------------------------------- all pages


def test_each_page_opens_without_complaint_and_reads_well_to_everybody(page: Page, axe: str) -> None:
    wrong = {}
    looked: set[str] = set()
    for path, title in PAGES.items():
        page.goto(path)
        expect(page.locator("h1")).to_contain_text(title)
        if page.locator("[data-every]").count():
            refreshed(page)
        page.evaluate(axe)
        # In the dark the same colours meet on every page of a kind.
        for scheme, rules in (("light", ALL), *([("dark", ["color-contrast"])] if title not in looked else [])):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            found = page.evaluate("rules => axe.run({runOnly: rules})", rules)["violations"]
            if found:
                wrong[path, scheme] = [(each["id"], each["nodes"][0]["html"][:200]) for each in found]
        looked.add(title)
        assert page.title().endswith("orchestrator")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{path} is wider than the window"
    assert wrong == {}


def test_links_of_the_pages_lead_somewhere(page: Page) -> None:
    seen: set[str] = set()
    waiting = [*PAGES]
    while waiting and len(seen) < 100:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        answer = page.request.get(path)
        assert answer.status == 200, path
        links = map(html.unescape, _LINK.findall(answer.text()))
        waiting += [link for link in links if link.startswith("/") and link not in seen]
    assert len(seen) >= len(PAGES)


def test_a_page_that_is_not_there_says_so_as_a_page(page: Page) -> None:
    for path, status in [("/console/commands/0", 404), ("/console/nothing", 404), ("/console/keys?cursor=x", 400)]:
        answer = page.request.get(path)
        assert answer.status == status
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert "default-src 'self'" in answer.headers["content-security-policy"]


# ---------------------------------------------------------------- text of users


def test_text_of_users_is_only_text(page: Page) -> None:
    for path in (
        "/console/commands",
        "/console/commands?" + urlencode({"key": SCRIPT}),
        "/console/keys",
        "/console/projections/row?" + urlencode({"name": "orders", "key": SCRIPT}),
        "/console/projections/row?" + urlencode({"name": "customers", "key": SCRIPT}),
        "/console/projections/row?" + urlencode({"name": "orders", "key": NASTY}),
    ):
        page.goto(path)
        page.wait_for_load_state("networkidle")
        assert page.title() != "taken"
        assert page.locator("main img, main script").count() == 0
    expect(page.locator("main")).to_contain_text(SCRIPT)


def test_a_key_with_slashes_line_ends_and_marks_is_reached_by_its_link_and_acted_on(page: Page, scene: Scene) -> None:
    key = f"{NASTY} acted on"
    scene.publish({"id": "acted", "type": "stock.counted", "subject": key, "data": {}})
    scene.until(lambda: any(each["key"] == key for each in scene.get("/v1/keys/blocked")["keys"]))
    page.goto("/console/keys")
    page.locator("tr", has_text="acted on").get_by_text("Leave out…").click()
    page.get_by_label("I know that this cannot be undone").check()
    page.get_by_text("Leave the event out").click()
    expect(page.get_by_role("status").first).to_contain_text("The parked event is left out")
    scene.until(lambda: all(each["key"] != key for each in scene.get("/v1/keys/blocked")["keys"]))


# ---------------------------------------------------------------- acting


def test_ticked_commands_are_sent_again_after_they_were_counted(page: Page, scene: Scene) -> None:
    page.goto("/console/commands?state=parked")
    expect(page.get_by_text("Send the ticked ones again…")).to_be_disabled()
    boxes = page.get_by_role("checkbox", name="command")
    ids = [boxes.nth(place).get_attribute("value") for place in (0, 2)]
    boxes.nth(0).check()
    boxes.nth(2).check()
    expect(page.get_by_text("2 ticked")).to_be_visible()
    page.get_by_text("Send the ticked ones again…").click()
    expect(page.locator("main")).to_contain_text("2 commands are sent again")
    expect(page.locator("main")).to_contain_text(f"orchestrator commands redrive {ids[1]} {ids[0]}".split()[1])
    page.get_by_role("button", name="Send 2 commands again").click()
    expect(page.get_by_role("status").first).to_contain_text("2 redriven")
    for id in ids:
        scene.until(lambda id=id: scene.get(f"/v1/commands/{id}")["attempts"] >= 2)  # type: ignore[misc]


def test_all_that_fit_are_sent_again_at_once(page: Page, scene: Scene) -> None:
    fitting = scene.get("/v1/commands?state=parked&rule=large-order&limit=1000")["commands"]
    page.goto("/console/commands?state=parked&rule=large-order")
    page.get_by_text("Send all that fit again…").click()
    expect(page.locator("main")).to_contain_text("not public")
    page.get_by_role("button", name=f"Send {len(fitting)} commands again").click()
    expect(page.get_by_role("status").first).to_contain_text("redriven")
    last = fitting[-1]["id"]
    scene.until(lambda: scene.get(f"/v1/commands/{last}")["attempts"] > fitting[-1]["attempts"])


def test_commands_and_events_are_found_by_how_long_ago_they_were(page: Page, scene: Scene) -> None:
    page.goto("/console/commands?rule=large-order")
    page.get_by_label("until").fill("1d")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody tr")).to_contain_text("L1")
    expect(page.locator("main")).to_contain_text("--until 1d")
    page.goto("/console/commands?rule=large-order&state=parked&since=1d")
    expect(page.get_by_role("table")).not_to_contain_text("L1")
    page.get_by_text("Send all that fit again…").click()
    expect(page.locator("main")).to_contain_text("--rule large-order --since 1d")
    page.goto("/console/redrive?rule=large-order&until=1d")
    expect(page.locator("main")).to_contain_text("No command fits")
    page.goto("/console/events?until=1d&type=order.placed")
    expect(page.locator("tbody tr")).to_have_count(1)
    for path in ("commands", "events", "redrive"):
        answer = page.request.get(f"/console/{path}?since=yesterday")
        assert (answer.status, "or 15m for what was 15 minutes ago" in answer.text()) == (400, True)


def test_a_command_is_cancelled_for_good_with_a_reason(page: Page, scene: Scene) -> None:
    waiting = scene.get("/v1/commands?state=retrying&limit=1000")["commands"]
    page.goto("/console/commands?state=retrying")
    expect(page.get_by_text("again…")).to_have_count(0)
    page.locator(f"#t-{waiting[0]['id']}").check()
    page.get_by_text("Cancel the ticked ones…").click()
    expect(page.locator("main")).to_contain_text("One command is never sent")
    page.get_by_label("Reason").fill("the <form> was wrong")
    page.get_by_label("I know that this cannot be undone").check()
    page.get_by_role("button", name="Cancel it").click()
    expect(page.get_by_role("status").first).to_contain_text("1 cancelled")
    found = scene.get(f"/v1/commands/{waiting[0]['id']}")
    assert found["state"] == "cancelled"
    assert "the <form> was wrong" in json.dumps(found)
    page.goto(f"/console/commands/{waiting[0]['id']}")
    expect(page.locator("main")).to_contain_text("the <form> was wrong")
    expect(page.get_by_text("Cancel…")).to_have_count(0)


def test_what_was_cancelled_meanwhile_is_left_out_and_counted(context: BrowserContext, scene: Scene) -> None:
    ids = [each["id"] for each in scene.get("/v1/commands?state=retrying&limit=1000")["commands"][-2:]]
    pages = [context.new_page(), context.new_page()]
    for page in pages:
        page.goto("/console/cancel?state=retrying&" + urlencode([("id", id) for id in ids]))
        page.get_by_label("I know that this cannot be undone").check()
    pages[0].eval_on_selector(f"input[value='{ids[0]}']", "field => field.remove()")
    for page in pages:
        page.get_by_role("button", name="Cancel 2 commands").click()
        expect(page.get_by_role("status").first).to_contain_text("1 cancelled")
    expect(pages[1].get_by_role("status").first).to_contain_text("1 cancelled; sent, or ended meanwhile: 1")


def test_an_event_is_left_out_only_when_it_is_said_that_this_is_meant(context: BrowserContext) -> None:
    page = context.new_page()  # whose console may say that the form was refused
    page.goto("/console/keys/skip?key=nuts")
    page.get_by_role("button", name="Leave the event out").click()
    assert page.url.endswith("/console/keys/skip?key=nuts")  # the browser asks for the tick
    page.eval_on_selector("input[name=sure]", "box => box.required = false")
    with page.expect_response("**/console/keys/skip?key=nuts") as answer:
        page.get_by_role("button", name="Leave the event out").click()
    assert answer.value.status == 400  # and so does the server
    expect(page.locator("main")).to_contain_text("nothing was done")


def test_events_are_found_by_type_and_subject(page: Page) -> None:
    page.goto("/console/events")
    page.get_by_label("type").fill("order.shipped")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator("tbody tr")).to_have_count(14)
    page.locator("tbody tr", has_text="s33").get_by_role("link", name="A33").click()
    expect(page.locator("main")).to_contain_text("order.placed")
    assert "subject=A33" in page.url
    for query, said in [("partition=9", "there is no partition 9"), ("since=x", "`since`"), ("cursor=x", "position")]:
        answer = page.request.get(f"/console/events?{query}")
        assert answer.status in (400, 404)
        assert said in answer.text()


def test_rows_are_filtered_and_sorted_and_the_address_carries_it(page: Page) -> None:
    page.goto("/console/projections")
    page.get_by_role("link", name="orders").first.click()
    page.get_by_label("rows whose").select_option("status")
    page.get_by_label("comparison").select_option("is")
    page.get_by_label("value").fill("open")
    page.get_by_role("button", name="Filter").click()
    page.get_by_label("rows whose").select_option("key")
    page.get_by_label("value").fill("A1")  # begins with
    page.get_by_role("button", name="Filter").click()
    page.get_by_role("link", name="total").click()
    page.get_by_role("link", name="total").click()
    expect(page.locator("th[aria-sort=descending]")).to_contain_text("total")
    keys = page.locator("tbody th").all_inner_texts()
    assert keys == ["A19", "A17", "A16", "A14", "A13", "A11", "A10", "A1"]
    assert "status=open" in page.url
    expect(page.locator(".chip")).to_have_count(2)
    page.locator(".chip", has_text="key begins with A1").get_by_role("link").click()
    expect(page.locator(".chip")).to_have_count(1)
    assert page.locator("tbody tr").count() > 8
    page.locator("[data-row]").first.click()
    expect(page.locator("h1")).to_contain_text("orders")


def test_a_filter_that_makes_no_sense_is_explained(page: Page) -> None:
    for query, said in [("customer=c1", "is not indexed"), ("total=x", "takes a number"), ("sort=no", "no field `no`")]:
        answer = page.request.get(f"/console/projections/orders?{query}")
        assert answer.status == 400
        assert said in answer.text()


def test_a_trace_shows_what_followed_and_where_it_began(page: Page, scene: Scene) -> None:
    page.goto("/")
    page.keyboard.press("f")
    page.keyboard.type("o33")
    page.keyboard.press("Enter")
    tree = page.locator(".tree").first
    expect(tree.locator("> li > .node.asked")).to_contain_text("order.placed")
    expect(tree.locator("li li .node", has_text="send-mail").first).to_contain_text("done")
    command = scene.get("/v1/commands?rule=large-order&limit=1")["commands"][0]
    page.goto(f"/console/commands/{command['id']}")
    page.get_by_role("main").get_by_role("link", name="Trace", exact=True).click()
    expect(page.locator(".node.asked")).to_contain_text("look-at")
    expect(page.locator(".tree > li > .node").first).to_contain_text("order.placed")


def test_a_trace_of_nothing_says_how_far_it_looked(page: Page) -> None:
    answer = page.request.get("/console/trace?id=nothing-of-the-kind")
    assert answer.status == 404
    assert re.search(r"There is nothing of this id\..*[0-9]+ events were looked at", answer.text(), re.DOTALL)
    assert page.request.get("/console/trace?id=x&what=dream").status == 400


def test_a_dry_run_says_which_comparison_decided(page: Page) -> None:
    page.goto("/console/dry-run")
    event = {"type": "order.placed", "subject": "A1", "data": {"total": 999, "customer": SCRIPT, "country": "DE"}}
    page.fill("#event", json.dumps(event))
    page.get_by_text("Try it").click()
    told = page.locator("article", has_text="large-order")
    expect(told).to_contain_text("does not hold")
    expect(told.locator("tr.decided")).to_contain_text("event.data.total > 1000")
    expect(told.locator("tr.decided")).to_contain_text("999")
    expect(page.locator("article", has_text="welcome")).to_contain_text("fired")
    expect(page.locator("article", has_text="not-shipped")).to_contain_text("waits")
    expect(page.locator("#event")).to_have_value(json.dumps(event))


def test_a_dry_run_meets_the_state_of_now_or_none(page: Page) -> None:
    page.goto("/console/dry-run")
    page.fill("#event", '{"type": "order.shipped", "subject": "A1", "data": {}}')
    page.get_by_text("Try it").click()
    expect(page.locator(".fold")).to_contain_text('"total":61')
    page.get_by_label("empty, as for a new key").check()
    page.get_by_text("Try it").click()
    expect(page.locator(".fold")).to_contain_text('is now {"status":"shipped"}')


@pytest.mark.parametrize(
    ("text", "said"),
    [("{", "this is no JSON"), ("[]", "one JSON object"), ('{"subject": "A1"}', "`type`"), ('{"type": 5}', "`type`")],
)
def test_what_is_no_event_is_said(page: Page, scene: Scene, text: str, said: str) -> None:
    page.goto("/console/dry-run")
    token = page.locator("input[name=token]").get_attribute("value") or ""
    answer = page.request.post(
        "/console/dry-run", form={"token": token, "event": text, "state": "now"}, headers={"Origin": scene.url}
    )
    assert answer.status == 400
    assert said in answer.text()


def test_an_event_of_the_log_is_tried_again_from_the_history_of_its_key(page: Page) -> None:
    page.goto("/console/projections/row?name=orders&key=A3")
    page.locator("tr", has_text="order.placed").get_by_text("dry run").click()
    expect(page.locator("#event")).to_have_value(json.dumps(json.loads(page.input_value("#event")), indent=2))
    assert json.loads(page.input_value("#event"))["id"] == "o3"


# ---------------------------------------------------------------- refreshing


def test_focus_ticks_and_what_was_typed_survive_refreshes(page: Page) -> None:
    page.goto("/console/commands?state=parked")
    page.get_by_role("checkbox", name="command").nth(1).check()
    page.fill("input[name=rule]", "half a na")
    row = page.locator("[data-row]").nth(2)
    row.focus()
    before = row.get_attribute("href")
    refreshed(page, 3)
    assert page.evaluate("document.activeElement.getAttribute('href')") == before
    assert page.get_by_role("checkbox", name="command").nth(1).is_checked()
    expect(page.locator("input[name=rule]")).to_have_value("half a na")


def test_a_page_refreshes_itself_and_a_hidden_one_does_not(page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto("/")
    with page.expect_request(lambda request: request.headers.get("hx-request") == "true", timeout=20_000):
        pass
    page.evaluate(
        "Object.defineProperty(document, 'hidden', {configurable: true, get: () => true});"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    page.wait_for_timeout(500)
    asked.clear()
    page.wait_for_timeout(5_000)
    assert asked == []
    page.evaluate(
        "Object.defineProperty(document, 'hidden', {configurable: true, get: () => false});"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    page.wait_for_timeout(500)
    assert asked


def test_a_server_that_is_gone_makes_the_page_grey_and_says_since_when(context: BrowserContext) -> None:
    page = context.new_page()  # whose console may say that the request failed
    page.goto("/")
    context.set_offline(True)
    expect(page.locator("#stale")).to_contain_text("Not refreshed since", timeout=20_000)
    expect(page.locator("body.stale")).to_be_visible()
    context.set_offline(False)
    expect(page.locator("#stale")).to_be_hidden(timeout=30_000)


def test_charts_are_drawn_and_say_their_numbers_to_who_cannot_see_them(page: Page, scene: Scene) -> None:
    scene.until(lambda: '"data":[[' in page.request.get("/").text().replace("&#34;", '"'))
    page.goto("/")
    page.wait_for_function("() => document.querySelectorAll('.plot canvas').length === 3", timeout=30_000)
    assert "events over the last half hour: lag" in (page.locator("#chart-lag").get_attribute("aria-label") or "")
    refreshed(page)
    assert page.locator(".plot canvas").count() == 3


# ---------------------------------------------------------------- keys alone, and no scripts


def test_the_keyboard_alone_is_enough(page: Page, scene: Scene) -> None:
    page.goto("/")
    page.keyboard.press("g")
    page.keyboard.press("c")
    page.wait_for_url("**/console/commands")
    page.goto("/console/commands?state=parked")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("x")
    expect(page.get_by_text("1 ticked")).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type("office")
    page.keyboard.press("Enter")
    page.wait_for_url("**to=office**")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.locator("[data-row]").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/commands/*")
    page.get_by_role("link", name="Send again…").focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Send it again").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").first).to_contain_text("1 redriven")


def test_everything_works_without_scripts(plain: Page, scene: Scene) -> None:
    for path, title in PAGES.items():
        plain.goto(path)
        expect(plain.locator("h1")).to_contain_text(title)
    plain.goto("/")
    expect(plain.locator("#chart-lag svg")).to_be_visible()
    plain.get_by_role("link", name="Commands").click()
    plain.get_by_role("link", name="parked").click()
    plain.get_by_label("rule").fill("large-order")
    plain.get_by_role("button", name="Filter").click()
    assert "rule=large-order" in plain.url
    assert "state=parked" in plain.url
    plain.get_by_role("checkbox", name="command").first.check()
    plain.get_by_role("button", name="Send the ticked ones again…").click()
    plain.get_by_role("button", name="Send it again").click()
    expect(plain.get_by_role("status").first).to_contain_text("1 redriven")


def test_a_target_is_paused_and_resumed_with_a_reason(scene: Scene, page: Page) -> None:
    page.goto("/console/targets")
    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="log", exact=True))
    expect(row).to_contain_text("sends")
    row.get_by_role("link", name="Pause…").click()
    page.get_by_label("Reason, for whoever asks").fill("they move house")
    page.get_by_role("button", name="Pause it").click()
    expect(page.locator("#said")).to_have_text("The target is paused: nothing is sent to it.")
    expect(row).to_contain_text("paused")
    expect(row).to_contain_text("they move house")
    row.get_by_role("link", name="Resume…").click()
    page.get_by_role("button", name="Resume it").click()
    expect(row).to_contain_text("sends")


def test_what_rules_do_not_see_is_not_offered_for_a_dry_run(scene: Scene, page: Page) -> None:
    page.goto("/console/targets/pause?name=log")
    page.get_by_role("button", name="Pause it").click()
    page.goto("/console/events?type=orchestrator.target.pausing")
    page.locator("tbody a[title=trace]").first.click()
    expect(page.get_by_role("main")).to_contain_text("control")
    expect(page.get_by_role("main").get_by_role("link", name="dry run")).to_have_count(0)
    page.goto("/console/targets/resume?name=log")
    page.get_by_role("button", name="Resume it").click()
