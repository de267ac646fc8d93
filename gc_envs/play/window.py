"""The window, which draws a game and passes pressed keys on to it."""

import functools
import io
import os
from typing import Any

import numpy as np

from gc_envs.play.game import FAINT, TEXT, Game, Line

NO_SCREEN = ("dummy", "offscreen")  # the drivers that SDL falls back on
# Sizes in pixels at scale 1. Everything is drawn anew at the scale of the window, so that text stays sharp.
FRAME, PANEL_WIDTH, MARGIN, ROW, FONT_SIZE = (480, 510), 480, 16, 20, 15
GOAL_ROWS = 18  # smallest number of rows above the keys
BACKGROUND = (24, 26, 31)


class Window:
    """A pygame window that shows a game: the frame on the left, the panel on the right.

    It can be resized; what it shows is then scaled to fit.

    Args:
        title: The title of the window.
        scale: The size at which it opens, as a factor.
    """

    def __init__(self, title: str, scale: float = 1.0) -> None:
        # The accelerated framebuffer of SDL and MuJoCo's EGL contexts break each other's connection to an X server.
        os.environ.setdefault("SDL_FRAMEBUFFER_ACCELERATION", "0")
        import pygame

        self.pygame = pygame
        self.scales = {pygame.KMOD_SHIFT: 1 / 3, pygame.KMOD_ALT: 1 / 10}  # of a move while these keys are down
        pygame.display.init()
        if pygame.display.get_driver() in NO_SCREEN and "SDL_VIDEODRIVER" not in os.environ:
            raise pygame.error("no display found")  # instead of waiting for keys that nobody can press
        pygame.font.init()
        pygame.display.set_caption(title)
        self.font = functools.cache(_font)  # by size
        self.scale = scale
        self._open((FRAME[0] + PANEL_WIDTH, FRAME[1]))
        pygame.key.set_repeat(250, 90)

    def _open(self, size: tuple[int, int]) -> None:
        """Open the window for a picture that is `size` at scale 1."""
        self.size = size
        scaled = (round(size[0] * self.scale), round(size[1] * self.scale))
        self.surface = self.pygame.display.set_mode(scaled, self.pygame.RESIZABLE)

    def show_message(self, text: str) -> None:
        """Show `text` and nothing else."""
        self.surface.fill(BACKGROUND)
        self._write([(text, TEXT)], MARGIN, MARGIN)
        self.pygame.display.flip()
        self.pygame.event.pump()  # some systems show nothing until events are processed

    def draw(self, game: Game) -> None:
        """Show the current state of the game."""
        frame = np.asarray(game.env.render())
        keys = game.keys.labels(game.page)
        half = -(-len(keys) // 2)
        size = (frame.shape[1] + PANEL_WIDTH, max(frame.shape[0], FRAME[1], (half + GOAL_ROWS) * ROW))
        if self.size != size:
            self._open(size)
        window = self.surface.get_size()
        self.scale = min(window[0] / size[0], window[1] / size[1])
        self.surface.fill(BACKGROUND)
        picture = self.pygame.surfarray.make_surface(frame.swapaxes(0, 1))
        if self.scale != 1:
            scaled = (round(frame.shape[1] * self.scale), round(frame.shape[0] * self.scale))
            picture = self.pygame.transform.smoothscale(picture, scaled)
        self.surface.blit(picture, (0, 0))
        left, keys_top = frame.shape[1] + MARGIN, size[1] - MARGIN - half * ROW
        lines, room = game.panel(), keys_top // ROW - 1
        if len(lines) > room:
            lines = [*lines[: room - 1], (f"  and {len(lines) - room + 1} more", FAINT)]
        self._write(lines, left, MARGIN)
        for labels in (keys[:half], keys[half:]):
            for column, colour, gap in ((0, TEXT, 12), (1, FAINT, 24)):
                widest = self._write([(label[column], colour) for label in labels], left, keys_top)
                left += widest + gap
        self.pygame.display.flip()

    def _write(self, lines: list[Line], left: float, top: float) -> float:
        """Write lines from `left` and `top`, in pixels at scale 1, and return the width of the widest."""
        font, widest = self.font(max(8, round(FONT_SIZE * self.scale))), 0
        for row, (text, colour) in enumerate(lines):
            picture = font.render(text, True, colour)
            widest = max(widest, picture.get_width())
            self.surface.blit(picture, (round(left * self.scale), round((top + row * ROW) * self.scale)))
        return widest / self.scale

    def handle(self, event: Any, game: Game) -> bool:
        """Apply one event to the game and return whether the player stays."""
        if event.type == self.pygame.KEYDOWN:
            key = self.pygame.key.name(event.key)
            command = game.keys.command(key, bool(event.mod & self.pygame.KMOD_CTRL))
            if command == "reset":
                game.reset()
            elif command == "new goal":
                game.new_goal()
            elif command == "quit":
                return False
            else:
                game.press(key, next((scale for modifier, scale in self.scales.items() if event.mod & modifier), 1.0))
        if event.type in (self.pygame.KEYDOWN, self.pygame.WINDOWEXPOSED, self.pygame.WINDOWRESIZED):
            self.draw(game)
        return event.type != self.pygame.QUIT


def _font(size: int) -> Any:
    """Return the font of the captions below frames, which tells i from l and 1, at `size` pixels."""
    import pygame
    from PIL import ImageFont

    return pygame.font.Font(io.BytesIO(ImageFont.load_default(size).font_bytes), size)  # type: ignore[union-attr]
