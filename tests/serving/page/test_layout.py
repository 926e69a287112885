"""The page in a headless Chromium, driven as a user would."""

import base64
import json
import shutil
import time
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image
from selenium import webdriver
from selenium.common.exceptions import ElementClickInterceptedException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

CHROMIUM, DRIVER = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no chromium and chromedriver are installed")
DESK, PHONE, SECONDS = (1280, 900), (390, 844), 60


class Browser:
    """A Chromium that shows the page, and what a user does in it."""

    def __init__(self, address: str, downloads: Path):
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        # A sandbox is not to be had as root, nor much shared memory in a container.
        for argument in (
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
        ):
            options.add_argument(argument)
        options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
        options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
        self.driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
        self.address, self.downloads = address, downloads

    def open(self, size: tuple[int, int]) -> None:
        """Show the page anew on a screen of this size."""
        width, height = size
        screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        self.driver.get(self.address)
        self.find("#examples button")
        self.find("#photo input[type=file]")

    def find(self, selector: str, says: str = ""):
        """Return the first element that a selector finds and that says something, once there is one."""

        def there(driver):
            found = driver.find_elements(By.CSS_SELECTOR, selector)
            return next((element for element in found if says in element.get_attribute("textContent")), None)

        return WebDriverWait(self.driver, SECONDS).until(there, f"{selector} {says!r}")

    def click(self, selector: str, says: str = "") -> None:
        """Click on it as soon as nothing lies over it."""

        def clicked(driver):
            try:
                self.find(selector, says).click()
            except ElementClickInterceptedException:
                return False
            return True

        WebDriverWait(self.driver, SECONDS).until(clicked)

    def upload(self, file: Path) -> None:
        """Choose a file as the photo."""
        self.find("#photo input[type=file]").send_keys(str(file))

    def logged(self, kind: str) -> list[dict]:
        """Return what the browser noted."""
        return self.driver.get_log(kind)

    def picture(self, file: Path, width: int, most: int) -> None:
        """Write the page, `most` pixels high at most, as a PNG of few colors."""
        height = min(self.driver.execute_script("return document.documentElement.scrollHeight"), most)
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        taken = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip})
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(base64.b64decode(taken["data"]))
        Image.open(file).convert("RGB").quantize(256).save(file, optimize=True)


@pytest.fixture(scope="module")
def browser(page, tmp_path_factory):
    browser = Browser(page.address, tmp_path_factory.mktemp("downloads"))
    yield browser
    browser.driver.quit()


@pytest.fixture
def photo(drawn, tmp_path) -> Path:
    """A file with three drawn people."""
    file = tmp_path / "three people.jpg"
    file.write_bytes(drawn[4].contents)
    return file


def left_behind(page) -> list[str]:
    """Return the files that lie in the page's folder for what comes in."""
    return [str(file) for file in page.uploads.rglob("*") if file.is_file()]


def test_a_photo_is_answered_its_table_comes_down_and_nothing_of_it_stays(browser, page, photo):
    browser.open(DESK)
    browser.upload(photo)
    browser.find("#answer h2", "3 people")
    assert "Three" not in browser.find("#answer").text
    people = browser.driver.find_elements(By.CSS_SELECTOR, "#answer article")
    assert [person.get_attribute("aria-label") for person in people] == ["Person 1", "Person 2", "Person 3"]
    assert browser.find("#answer .photo").get_attribute("alt") == "The photo, with a box around each face: 3 people"
    assert "years" in browser.find("#answer svg.distribution").get_attribute("aria-label")
    browser.click("#answer .download", "CSV")
    file = browser.downloads / "people.csv"
    WebDriverWait(browser.driver, SECONDS).until(lambda _: file.exists())
    table = pd.read_csv(file)
    assert list(table["person"]) == [1, 2, 3] and set(table["gender.class"]) <= {"male", "female"}
    assert left_behind(page) == []
    # The field is free for the next photo.
    browser.find("#photo input[type=file]")


def test_a_bad_file_says_what_is_wrong_with_it_and_the_next_is_answered(browser, photo, tmp_path):
    browser.open(DESK)
    bad = tmp_path / "bad.png"
    bad.write_bytes(photo.read_bytes()[:4000])
    browser.upload(bad)
    said = browser.find("#answer [role=alert]").text
    assert said.startswith("This photo cannot be answered: truncated or damaged") and "/" not in said
    browser.upload(photo)
    browser.find("#answer h2", "3 people")


def test_one_face_cut_out_is_answered_whole(browser, photo):
    browser.open(DESK)
    browser.click("label", "One face, cut out")
    browser.upload(photo)
    browser.find("#answer h2", "1 person")


def test_it_can_be_used_by_keyboard_on_a_phone(browser):
    browser.open(PHONE)
    browser.find("#examples button").send_keys(Keys.ENTER)
    browser.find("#answer h2", "1 person")
    width = browser.driver.execute_script("return document.documentElement.scrollWidth")
    assert width <= PHONE[0]
    hidden = "return [...document.querySelectorAll('img')].filter(image => !image.hasAttribute('alt')).length"
    assert browser.driver.execute_script(hidden) == 0
    assert browser.find("#answer [aria-live=polite], #answer[aria-live=polite]")


def test_it_says_what_it_is_for_and_what_it_takes(browser):
    browser.open(PHONE)
    said = browser.find(".gradio-container").text
    assert "Not for decisions about people" in said and "up to 20 MB and 50 million pixels" in said


def test_nothing_came_from_elsewhere_and_nothing_went_wrong(browser, page):
    browser.open(DESK)
    events = [json.loads(entry["message"])["message"] for entry in browser.logged("performance")]
    asked = [each["params"]["request"]["url"] for each in events if each["method"] == "Network.requestWillBeSent"]
    assert asked and {url for url in asked if not url.startswith((f"{page.address}/", "data:", "blob:"))} == set()
    assert [entry["message"] for entry in browser.logged("browser") if entry["level"] == "SEVERE"] == []
    # gradio writes down each path that it refuses, and another test asks for such.
    assert [each for each in page.log.read_text().split("Traceback")[1:] if "InvalidPathError" not in each] == []


def test_pictures_of_the_page(browser, photo, pytestconfig):
    folder = pytestconfig.getoption("--screenshots")
    if folder is None:
        pytest.skip("--screenshots names no folder for pictures of the page")
    for name, (width, height), most, number in (("desk", DESK, 1400, 4), ("phone", PHONE, 1900, 1)):
        browser.open((width, height))
        browser.driver.find_elements(By.CSS_SELECTOR, "#examples button")[number].send_keys(Keys.ENTER)
        browser.find("#answer h2")
        time.sleep(1)  # until nothing moves any more
        browser.picture(folder / f"{name}.png", width, most)
