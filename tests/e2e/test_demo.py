"""make demo does what it says, and leaves nothing behind."""
import os
import subprocess

from stack import BUILD, PACE, TOP, free_port


def test_demo(tmp_path):
    variables = os.environ | {"PORT": str(free_port()), "TMPDIR": str(tmp_path)}
    done = subprocess.run(["setpriv", "--pdeathsig", "TERM", TOP / "deploy" / "demo", BUILD], env=variables,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60 * PACE)
    assert done.returncode == 0, done.stdout + done.stderr
    pat = '"identifier":"pat@example.com","category":"$all","allowed":%s,"reason":"%s"'
    for said in ("refused the credentials", '{"configured":true,"region":"us"',
                 '"metric":"cio_subscription_preferences_changed","recipient":"a',
                 '"metric":"unsubscribed","recipient":"j',
                 '"identifier":"jo@example.com","category":"$all","allowed":false,"reason":"opted_out_all"',
                 '"identifier":"al@example.com","category":"offers","allowed":false,"reason":"opted_out_category"',
                 pat % ("true", "subscribed"), '"kind":"api","status":"completed"',
                 pat % ("false", "opted_out_all"),
                 '"identifier":"quinn@example.com","category":"offers","allowed":false,"reason":"opted_out_category"',
                 '"identifier":"new@example.com","category":"offers","allowed":true'):
        assert said in done.stdout, f"{said} is not in\n{done.stdout}"
    assert done.stdout.index(pat % ("true", "subscribed")) < done.stdout.index(pat % ("false", "opted_out_all"))
    assert list(tmp_path.iterdir()) == []
