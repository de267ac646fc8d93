"""Rotations as unit quaternions [..., 4], w first (MuJoCo's order), for NumPy, JAX and torch arrays.

Euler angles [..., 3] are in rad and mean R = Rx(a) Ry(b) Rz(c): rotations about the x, y and z axes of the rotated
frame, one after the other. `scipy.spatial.transform.Rotation` calls this "XYZ", and the Fetch and Hand tasks of
Gymnasium-Robotics observe the same angles.
"""

from gc_envs.core.arrays import Array, array_namespace

SINGULAR = 1e-6  # cosine of b, below which a and c turn about the same axis and only their sum is known


def multiply(first: Array, second: Array) -> Array:
    """Return the product of two quaternions [..., 4].

    It is the rotation `second` followed by the rotation `first`, both in the world's frame.
    """
    xp = array_namespace(first, second)
    w1, x1, y1, z1 = _components(first)
    w2, x2, y2, z2 = _components(second)
    return xp.concat(
        [
            w1 * w2 - x1 * x2 - y1 * y2 - z1 * z2,
            w1 * x2 + x1 * w2 + y1 * z2 - z1 * y2,
            w1 * y2 - x1 * z2 + y1 * w2 + z1 * x2,
            w1 * z2 + x1 * y2 - y1 * x2 + z1 * w2,
        ],
        axis=-1,
    )


def conjugate(quat: Array) -> Array:
    """Return the inverse rotation [..., 4]."""
    xp = array_namespace(quat)
    return xp.concat([quat[..., :1], -quat[..., 1:]], axis=-1)


def angle_between(first: Array, second: Array) -> Array:
    """Return the angle of the rotation from one unit quaternion [..., 4] to another, in rad, 0 .. pi: [...]."""
    xp = array_namespace(first, second)
    rotation = multiply(first, conjugate(second))
    sine = xp.sqrt(xp.sum(rotation[..., 1:] ** 2, axis=-1))  # exact near 0, where the arc cosine of w is not
    return 2 * xp.atan2(sine, xp.abs(rotation[..., 0]))


def to_euler(quat: Array) -> Array:
    """Return the Euler angles [..., 3] in rad of unit quaternions [..., 4].

    Angles a and c lie in -pi .. pi, b in -pi/2 .. pi/2. Where b is +-pi/2, a is given as 0.
    """
    xp = array_namespace(quat)
    w, x, y, z = _components(quat)
    ww, xx, yy, zz, xy, xz, yz = w * w, x * x, y * y, z * z, x * y, x * z, y * z
    wx, wy, wz = w * x, w * y, w * z
    # Entries of the rotation matrix: sin b = m02, and cos b divides out of the others.
    m00, m01, m02 = ww + xx - yy - zz, 2 * (xy - wz), 2 * (xz + wy)
    m10, m11 = 2 * (xy + wz), ww - xx + yy - zz
    m12, m22 = 2 * (yz - wx), ww - xx - yy + zz
    cosine = xp.sqrt(m12 * m12 + m22 * m22)
    regular = cosine > SINGULAR
    a = xp.where(regular, xp.atan2(-m12, m22), xp.zeros_like(m22))
    c = xp.where(regular, xp.atan2(-m01, m00), xp.atan2(m10, m11))
    return xp.concat([a, xp.atan2(m02, cosine), c], axis=-1)


def from_axis_angle(axis: Array, angle: Array) -> Array:
    """Return unit quaternions [..., 4] of rotations by `angle` [...] in rad about `axis` [..., 3] of any length.

    An axis of length 0 gives the identity.
    """
    xp = array_namespace(axis, angle)
    length = xp.sqrt(xp.sum(axis * axis, axis=-1, keepdims=True))
    is_zero = length == 0
    half = xp.where(is_zero, xp.zeros_like(length), angle[..., None] / 2)
    unit = axis / xp.where(is_zero, xp.ones_like(length), length)
    return xp.concat([xp.cos(half), xp.sin(half) * unit], axis=-1)


def _components(quat: Array) -> tuple[Array, Array, Array, Array]:
    """Return w, x, y and z, [..., 1] each."""
    return quat[..., :1], quat[..., 1:2], quat[..., 2:3], quat[..., 3:]
