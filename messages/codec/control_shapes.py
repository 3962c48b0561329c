"""JSON shapes of what a pool and its workers say: each message has its tag."""

from .. import control
from .shape import Shape, Shapes

__all__ = ["CONTROL_SHAPES"]

CONTROL_SHAPES: Shapes = {
    control.Connect: Shape(tag="connect"),
    control.Ping: Shape(tag="ping"),
    control.Adopt: Shape(tag="adopt"),
    control.Release: Shape(tag="release"),
    control.Report: Shape(tag="report"),
    control.Stop: Shape(tag="stop"),
    control.Ready: Shape(tag="ready"),
    control.Failed: Shape(tag="failed"),
    control.Opened: Shape(tag="opened"),
    control.Closed: Shape(tag="closed"),
    control.TurnStarted: Shape(tag="turn_started"),
    control.TurnEnded: Shape(tag="turn_ended"),
    control.Pong: Shape(tag="pong"),
    control.Begun: Shape(tag="begun"),
    control.Done: Shape(tag="done"),
    control.Reported: Shape(tag="reported"),
}
