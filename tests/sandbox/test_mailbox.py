"""The mailbox keeps whole e-mails, and only those."""

import smtplib
import socket

from xpmsync.sandbox.mailbox import Mailbox


def test_an_email_that_arrives_whole_is_kept():
    with Mailbox() as mailbox, smtplib.SMTP("127.0.0.1", mailbox.port) as client:
        client.sendmail("a@firm.example", "b@firm.example", "Subject: Whole\r\n\r\n.A text\r\n")
        assert [(message["Subject"], message.get_content()) for message in mailbox.messages] == [
            ("Whole", ".A text\r\n")
        ]


def test_it_tells_of_an_email_when_it_arrives():
    told = []
    with (
        Mailbox(notice=lambda message: told.append(message["Subject"])) as mailbox,
        smtplib.SMTP("127.0.0.1", mailbox.port) as client,
    ):
        client.sendmail("a@firm.example", "b@firm.example", "Subject: First\r\n\r\nText\r\n")
        assert told == ["First"]


def test_an_email_that_was_cut_is_not_kept():
    for text in (b"", b"Subject: Half", b"Subject: Half\r\n\r\nA text\r\n"):
        with Mailbox() as mailbox:
            with socket.create_connection(("127.0.0.1", mailbox.port)) as line, line.makefile("rwb") as file:
                for word in (b"EHLO a", b"DATA"):
                    file.readline()
                    file.write(word + b"\r\n")
                    file.flush()
                file.readline()
                file.write(text)
                file.flush()
                line.shutdown(socket.SHUT_WR)
                assert file.read() == b""  # it has hung up
            assert mailbox.messages == []
